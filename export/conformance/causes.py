"""The causes of results that are not equal, each in one sentence that names the attribute at fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from upconv.export.conformance.results import CaseResult
from upconv.export.parity.known_causes import ANTIALIAS, NEIGHBOUR, ROUNDED_POSITION


@dataclass(frozen=True)
class Cause:
    """One cause and the results that it explains."""

    sentence: str
    results: tuple[CaseResult, ...]

    @property
    def cases(self) -> int:
        """Number of cases that are affected, in any runtime."""
        return len({result.case for result in self.results})

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes that are affected, in the order in which they ran."""
        return tuple(dict.fromkeys(result.runtime for result in self.results))


def causes(results: Sequence[CaseResult]) -> list[Cause]:
    """Return the causes of all results that are not equal, the one with the most cases first."""
    found: dict[str, list[CaseResult]] = {}
    for result in results:
        if result.status != "equal":
            found.setdefault(cause(result), []).append(result)
    return sorted((Cause(sentence, tuple(explained)) for sentence, explained in found.items()), key=lambda c: -c.cases)


def cause(result: CaseResult) -> str:
    """Return the known cause of a result that is not equal, or the message of the runtime."""
    return next((sentence for applies, sentence in _KNOWN if applies(result)), None) or _shortened(result)


def _shortened(result: CaseResult) -> str:
    for pattern, sentence in _MESSAGES:
        found = re.search(pattern, result.reason)
        if found:
            return sentence.format(*found.groups(), dtype=result.case.dtype)
    return re.sub(r"Name:'[^']*' ?|^.*?cannot (open|run) the graph[^:]*: |torch cannot trace the layer: ", "", result.reason)


def _narrow(result: CaseResult) -> bool:
    size = result.case["size"]
    return bool(result.case["antialias"]) and isinstance(size, tuple) and size[-1] == 1 and size[0] > 1


def _inexact(scale: object) -> bool:
    return isinstance(scale, float) and float(np.float32(scale)) != scale


def _openvino(result: CaseResult) -> bool:
    return result.status == "differs" and result.runtime.startswith("openvino")


_MESSAGES = (
    (r"Could not find an implementation for (\w+)", "onnxruntime has no `{}` for {dtype} on the processor"),
    (r"Failed to find kernel for com\.microsoft\.(\w+)", "onnxruntime 1.20 makes a `{}` of its own, and has no kernel for it"),
    (r"Provider type for (\w+) node .* is not set", "onnxruntime with WebGPU finds no place for `{}` in {dtype}"),
    (r"requires f16 but the device does not support it", "WebGPU: this device, a software driver, has no float16"),
    (r"(\w+) at \S+ refuses what it gets \((.*)\)", "`{}`: {}"),
    (r"the operator (\w+) \S+ cannot be converted to ncnn(.*)", "`{}` cannot be converted to ncnn{}"),
    (r"(ncnn is compared on batches of pictures.*);", "{}"),
)
"""Messages that differ from case to case, and one sentence for each kind."""

_KNOWN: tuple[tuple[Callable[[CaseResult], bool], str], ...] = (
    (
        lambda r: r.status == "refused" and bool(r.case["antialias"] and r.case["align_corners"]),
        "`antialias=True` with `align_corners=True`: torch scales by (n - 1) / (m - 1) but measures from the edges of the pixels. No "
        "`coordinate_transformation_mode` does this, so the export refuses it",
    ),
    (
        lambda r: r.status == "as float32",
        ROUNDED_POSITION,
    ),
    (
        _narrow,
        "`antialias=True` and an output one pixel wide: torch 2.13 repeats the first row, but the graph follows the definition of the "
        "operator. `export` refuses it",
    ),
    (
        lambda r: r.status == "refused" and bool(r.case["antialias"]) and r.case.dtype == "float16",
        "`antialias=True` in float16: torch does not compute it on the processor",
    ),
    (
        lambda r: _openvino(r) and "the output has shape" in r.reason and _inexact(r.case["scale_factor"]),
        "a fractional `scale_factor` whose lengths are rounded differently in float32 (50 by 2.3): OpenVINO computes float64 in float32",
    ),
    (
        lambda r: _openvino(r) and bool(r.case["antialias"]),
        ANTIALIAS,
    ),
    (
        lambda r: _openvino(r) and r.case.variant.startswith("nearest"),
        NEIGHBOUR,
    ),
    (
        lambda r: r.status == "differs" and r.case.dtype == "float64" and _inexact(r.case["scale_factor"]),
        "a fractional `scale_factor` in float64: `Resize` takes its scales in float32",
    ),
    (
        lambda r: _openvino(r) and r.case.dtype == "float64",
        "a layer in float64: OpenVINO computes it in float32",
    ),
    (
        lambda r: r.case["mode"] == "bicubic" and r.case["size"] == (1, 1) and r.floors < 16,
        "`bicubic` to one pixel by `size`: torch's own error happens to be zero, and dividing by m / n in float32 makes an error of up "
        "to 9 units in the last place. `export` refuses it if a size that it tries shows the error",
    ),
)
"""Known causes. The first one that applies is reported."""
