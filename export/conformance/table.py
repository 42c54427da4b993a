"""The grid's results as a page of Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections import Counter
from collections.abc import Sequence
from typing import get_args

import torch

from upconv.export.conformance.causes import Cause, causes
from upconv.export.conformance.grid_backends import SERVED
from upconv.export.conformance.results import Result, Row, Status, summarise
from upconv.export.verdict import FACTOR

_PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxsim", "openvino")

_REPAIRS = """\
| layer | torch's exporter | this export |
| --- | --- | --- |
| any, fractional `scale_factor` | counts output pixels in float32: 50 by 2.3 make 115, torch makes 114 | scale rounded up, then `Slice` to torch's own count; left alone where no length up to 16384 differs |
| any, `recompute_scale_factor=True` | computes the length in float32, the same | `Cast` to double |
| `antialias=True` with `scale_factor` | leaves out the scale and takes the ratio of the sizes | constant `scales` |
| `align_corners=True`, fractional `scale_factor` | constant `scales`, which runtimes read as a fractional length | `sizes`, as torch ignores the scale |
| `area` of a line | fixes its length at the example's | pooled as a picture one pixel high |
| `nearest` | `Resize` with `asymmetric`, `floor`, which divides where torch multiplies by the reciprocal: pixel 41 of 2 to 82 | `Resize` where every pixel is the same; `Gather` with torch's own indices elsewhere |
| `nearest-exact` | a graph of some 25 nodes | as `nearest` for whole scales; `half_pixel`, `round_prefer_ceil` for powers of two; `Gather` elsewhere |
| `linear` | a graph of some 25 nodes | `Resize`, `half_pixel` |
| `area` | fixes the window at the example's: wrong values, or none, at other sizes; nothing in 3d | a matrix product along each axis; `Resize` for whole scales |
| `size` a whole multiple of the input's | `sizes`, which hides the scale | constant `scales`, so that the halo is known |
| `ConvTranspose`, `output_padding` >= `stride` | as it is, which onnxruntime refuses | cropped less at the end, then `Pad`, then the bias |
"""


def page(results: Sequence[Result], command: str) -> str:
    """The whole page; `command` is what wrote it."""
    runtimes = list(dict.fromkeys(result.runtime for result in results))
    return "\n".join(
        [
            "# Layers that upsample, in every runtime",
            "",
            f"Written by `{command}`; {_versions()}. Every layer goes through the export's capture and simplification and "
            f"is run on three sizes (two for volumes). It is equal where its largest error against torch in float64 is at most "
            f"{FACTOR:g} times that of torch in the layer's own precision, the noise floor.",
            "",
            *_counts(results, runtimes),
            "## Equal, by layer",
            "",
            "How many are equal, and the largest error among them in noise floors.",
            "",
            *_rows(summarise(results), runtimes),
            "## Not equal, by cause",
            "",
            *_causes(causes(results)),
            "## What the export writes otherwise than torch's exporter",
            "",
            _REPAIRS,
        ]
    )


def summary(results: Sequence[Result]) -> str:
    """One line: what is served as it should be."""
    served = Counter(result.status for result in results if result.runtime == SERVED)
    said = ", ".join(f"{count} {status}" for status, count in served.items())
    return f"{served.total()} cases in {SERVED}: {said}"


def _counts(results: Sequence[Result], runtimes: list[str]) -> list[str]:
    statuses = get_args(Status)
    lines = [f"| runtime | {' | '.join(statuses)} |", f"| --- |{' --- |' * len(statuses)}"]
    for runtime in runtimes:
        of = Counter(result.status for result in results if result.runtime == runtime)
        lines.append(f"| {runtime} | {' | '.join(str(of[status]) for status in statuses)} |")
    return [*lines, ""]


def _rows(rows: list[Row], runtimes: list[str]) -> list[str]:
    lines = [f"| layer | variant | precision | cases | {' | '.join(runtimes)} |", "| --- |" + " --- |" * (3 + len(runtimes))]
    for row in rows:
        cells = [f"{row.equal.get(r, 0)}{_floors(row, r)}" for r in runtimes]
        lines.append(f"| `{row.layer}` | {row.variant} | {row.dtype} | {row.cases} | {' | '.join(cells)} |")
    return [*lines, ""]


def _floors(row: Row, runtime: str) -> str:
    return f" ({row.floors[runtime]:.1f})" if runtime in row.floors else ""


def _causes(found: list[Cause]) -> list[str]:
    lines = ["| cause | cases | runtimes | for example |", "| --- | --- | --- | --- |"]
    for cause in found:
        lines.append(f"| {cause.sentence} | {cause.cases} | {', '.join(cause.runtimes)} | `{cause.results[0].case}` |")
    return [*lines, ""]


def _versions() -> str:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:  # one of the runtimes, which need not be there
            continue
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{', '.join(found)}; {os.cpu_count()}-core {capability} {platform.machine()}"
