"""The comparison as a table, with a row for each measure and a column for each candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upconv.export.turns import Timing
from upconv.models.training.comparison.results import CandidateResult, DecoderComparison, Setup


@dataclass(frozen=True)
class MeasureRow:
    """The row of one measure: its label, and the function that formats a cell."""

    label: str
    cell: Callable[[CandidateResult], str]


def rows(setup: Setup, first: str) -> tuple[MeasureRow, ...]:
    """Return the rows of all measures. `first` is the name of the candidate that ratios refer to."""
    picture, large = (f"{side}x{side}" for side in (setup.picture_px, setup.memory_px))
    return (
        MeasureRow("parameters", lambda r: f"{r.parameters:,}"),
        MeasureRow("  in the head", lambda r: f"{r.head_parameters:,}"),
        MeasureRow(f"GFLOP, {picture} input", lambda r: f"{r.gflops:.2f}"),
        MeasureRow(f"peak memory, torch, {large} input, MB", lambda r: _megabytes(r.memory.torch_mb)),
        MeasureRow(f"peak memory, onnxruntime, {large} input, MB", lambda r: _megabytes(r.memory.onnxruntime_mb)),
        MeasureRow("peak memory, training step, MB", lambda r: _megabytes(r.memory.training_mb)),
        MeasureRow("training step, ms", lambda r: f"{r.timings.step.ms:.1f}"),
        MeasureRow(f"  relative to {first} (quartiles)", lambda r: _ratio(r.timings.step)),
        MeasureRow(f"torch, {picture} input, ms", lambda r: f"{r.timings.torch.ms:.1f}"),
        MeasureRow(f"  relative to {first} (quartiles)", lambda r: _ratio(r.timings.torch)),
        MeasureRow(f"onnxruntime, {picture} input, ms", lambda r: f"{r.timings.onnxruntime.ms:.1f}"),
        MeasureRow(f"  relative to {first} (quartiles)", lambda r: _ratio(r.timings.onnxruntime)),
        MeasureRow("training to equal loss, s (steps)", lambda r: _seconds(r, r.reached.loss)),
        MeasureRow("training to equal PSNR, s (steps)", lambda r: _seconds(r, r.reached.psnr_y)),
        MeasureRow("final loss", lambda r: f"{r.curve.loss[-1]:.5f}"),
        MeasureRow("PSNR-Y, dB", lambda r: f"{r.quality.psnr_y:.2f}"),
        MeasureRow(
            f"  minus {first} (standard error)", lambda r: f"{r.quality.psnr_gain:+.2f} ({r.quality.psnr_gain_error:.2f})"
        ),
        MeasureRow("SSIM-Y", lambda r: f"{r.quality.ssim_y:.4f}"),
        MeasureRow("sharpness (original: 1)", lambda r: f"{r.quality.sharpness:.3f}"),
        MeasureRow("before training: flat picture, steps of 255", lambda r: f"{r.before.constant_steps:.2f}"),
        MeasureRow("  smooth wave, energy at the stride, dB", lambda r: f"{r.before.smooth_db:.1f}"),
        MeasureRow("  the same, output of the head only, dB", lambda r: f"{r.before.detail_db:.1f}"),
        MeasureRow("  phase imbalance of the kernel", lambda r: f"{r.before.phase_imbalance:.3f}"),
        MeasureRow("after training: flat picture, steps of 255", lambda r: f"{r.after.constant_steps:.2f}"),
        MeasureRow("  smooth wave, energy at the stride, dB", lambda r: f"{r.after.smooth_db:.1f}"),
        MeasureRow("  the same, output of the head only, dB", lambda r: f"{r.after.detail_db:.1f}"),
        MeasureRow("  phase imbalance of the kernel", lambda r: f"{r.after.phase_imbalance:.3f}"),
        MeasureRow("error of the exported graph, noise floors", lambda r: f"{r.parity:.1f}"),
    )


def heading(setup: Setup) -> str:
    """Return one line that describes the training, the pictures and the machine."""
    return (
        f"{setup.steps:,} steps of {setup.batch} patches of {setup.patch_px}x{setup.patch_px}, seed {setup.seed}; "
        f"trained on {setup.pictures}; {setup.machine}, {setup.threads} thread{'s' if setup.threads > 1 else ''}, "
        + ", ".join(f"{name} {version}" for name, version in setup.versions.items())
    )


def text(comparison: DecoderComparison) -> str:
    """Return the table as text for a terminal."""
    results = comparison.results
    measures = rows(comparison.setup, results[0].name)
    columns = [[result.name, *(row.cell(result) for row in measures)] for result in results]
    labels = ["", *(row.label for row in measures)]
    width = max(map(len, labels))
    widths = [max(map(len, column)) + 2 for column in columns]
    lines = [
        label.ljust(width) + "".join(column[index].rjust(w) for column, w in zip(columns, widths, strict=True))
        for index, label in enumerate(labels)
    ]
    return "\n".join([heading(comparison.setup), "", *lines])


def _megabytes(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _seconds(result: CandidateResult, steps: float | None) -> str:
    return "not reached" if steps is None else f"{result.seconds_of(steps):.1f} ({steps:.0f})"


def _ratio(timing: Timing) -> str:
    return f"{timing.ratio:.2f} ({timing.quartiles[0]:.2f}-{timing.quartiles[1]:.2f})"
