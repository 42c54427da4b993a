"""The results of the grid as a Markdown page."""

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
from upconv.export.conformance.results import CaseResult, LayerSummary, Status, summarise
from upconv.export.verdict import FACTOR

_PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "onnxsim", "openvino")

_REPAIRS = """\
| layer | torch's exporter | this export |
| --- | --- | --- |
| any, fractional `scale_factor` | counts output pixels in float32: 50 by 2.3 give 115, torch gives 114 | rounds the scale up, then `Slice` to torch's own length; unchanged if no length up to 16384 differs |
| any, `recompute_scale_factor=True` | computes the length in float32, with the same error | `Cast` to double |
| `antialias=True` with `scale_factor` | leaves out the scale and takes the ratio of the sizes | constant `scales` |
| `align_corners=True`, fractional `scale_factor` | constant `scales`, which runtimes read as a fractional length | `sizes`, because torch ignores the scale |
| `area` of a line | fixes its length to the example's | pools it as a picture one pixel high |
| `nearest` | `Resize` with `asymmetric`, `floor`, which divides, but torch multiplies by the reciprocal: pixel 41 of 2 to 82 differs | `Resize` if every pixel is the same; otherwise `Gather` with torch's own indices |
| `nearest-exact` | a graph of about 25 nodes | as `nearest` for whole scales; `half_pixel`, `round_prefer_ceil` for powers of two; otherwise `Gather` |
| `linear` | a graph of about 25 nodes | `Resize`, `half_pixel` |
| `area` | fixes the window to the example's: wrong values, or none, at other sizes; nothing in 3d | a matrix product along each axis; `Resize` for whole scales |
| `size` a whole multiple of the input's | `sizes`, which hides the scale | constant `scales`, so that the halo is known |
| `ConvTranspose`, `output_padding` >= `stride` | unchanged, which onnxruntime refuses | crops less at the end, then `Pad`, then the bias |
"""


def page(results: Sequence[CaseResult], command: str) -> str:
    """Return the page. It names `command` as the command that wrote it."""
    runtimes = list(dict.fromkeys(result.runtime for result in results))
    return "\n".join(
        [
            "# Upsampling layers in every runtime",
            "",
            f"Written by `{command}`; {_versions()}.",
            "",
            "Every layer goes through the export's capture and simplification and runs on three sizes (two for volumes). A runtime is "
            f"equal if its largest error against torch in float64 is at most {FACTOR:g} noise floors. The noise floor is the error of "
            "torch in the layer's own precision.",
            "",
            *_counts(results, runtimes),
            "## Equal cases, by layer",
            "",
            "The number of equal cases and, in brackets, their largest error in noise floors.",
            "",
            *_rows(summarise(results), runtimes),
            "## Other cases, by cause",
            "",
            *_causes(causes(results)),
            "## Differences from torch's exporter",
            "",
            _REPAIRS,
        ]
    )


def summary(results: Sequence[CaseResult]) -> str:
    """Return one line: the number of cases by status in the served backend."""
    served = Counter(result.status for result in results if result.runtime == SERVED)
    counts = ", ".join(f"{count} {status}" for status, count in served.items())
    return f"{served.total()} cases in {SERVED}: {counts}"


def _counts(results: Sequence[CaseResult], runtimes: list[str]) -> list[str]:
    statuses = get_args(Status)
    lines = [f"| runtime | {' | '.join(statuses)} |", f"| --- |{' --- |' * len(statuses)}"]
    for runtime in runtimes:
        counts = Counter(result.status for result in results if result.runtime == runtime)
        lines.append(f"| {runtime} | {' | '.join(str(counts[status]) for status in statuses)} |")
    return [*lines, ""]


def _rows(rows: list[LayerSummary], runtimes: list[str]) -> list[str]:
    lines = [f"| layer | variant | precision | cases | {' | '.join(runtimes)} |", "| --- |" + " --- |" * (3 + len(runtimes))]
    for row in rows:
        cells = [f"{row.equal.get(r, 0)}{_floors(row, r)}" for r in runtimes]
        lines.append(f"| `{row.layer}` | {row.variant} | {row.dtype} | {row.cases} | {' | '.join(cells)} |")
    return [*lines, ""]


def _floors(row: LayerSummary, runtime: str) -> str:
    return f" ({row.floors[runtime]:.1f})" if runtime in row.floors else ""


def _causes(found: list[Cause]) -> list[str]:
    lines = ["| cause | cases | runtimes | example |", "| --- | --- | --- | --- |"]
    for cause in found:
        lines.append(f"| {cause.sentence} | {cause.cases} | {', '.join(cause.runtimes)} | `{cause.results[0].case}` |")
    return [*lines, ""]


def _versions() -> str:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:  # an optional runtime
            continue
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{', '.join(found)}; {os.cpu_count()}-core {capability} {platform.machine()}"
