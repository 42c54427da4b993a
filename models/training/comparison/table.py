"""The comparison as a table: a row for each measure, a column for each candidate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upconv.export.turns import Timing
from upconv.models.training.comparison.results import Comparison, Result, Setup


@dataclass(frozen=True)
class Row:
    """One measure."""

    label: str
    cell: Callable[[Result], str]


def rows(setup: Setup, first: str) -> tuple[Row, ...]:
    """Every measure, labelled with what it was measured on; `first` is what ratios refer to."""
    picture, large = (f"{side}x{side}" for side in (setup.picture_px, setup.memory_px))
    return (
        Row("parameters", lambda r: f"{r.parameters:,}"),
        Row("of which the head", lambda r: f"{r.head_parameters:,}"),
        Row(f"GFLOP, {picture} in", lambda r: f"{r.gflops:.2f}"),
        Row(f"peak memory, torch, {large} in, MB", lambda r: _megabytes(r.memory.torch_mb)),
        Row(f"peak memory, onnxruntime, {large} in, MB", lambda r: _megabytes(r.memory.onnxruntime_mb)),
        Row("peak memory, training step, MB", lambda r: _megabytes(r.memory.training_mb)),
        Row("training step, ms", lambda r: f"{r.timings.step.ms:.1f}"),
        Row(f"  per {first}'s (quartiles)", lambda r: _ratio(r.timings.step)),
        Row(f"torch, {picture} in, ms", lambda r: f"{r.timings.torch.ms:.1f}"),
        Row(f"  per {first}'s (quartiles)", lambda r: _ratio(r.timings.torch)),
        Row(f"onnxruntime, {picture} in, ms", lambda r: f"{r.timings.onnxruntime.ms:.1f}"),
        Row(f"  per {first}'s (quartiles)", lambda r: _ratio(r.timings.onnxruntime)),
        Row("training to equal loss, s (steps)", lambda r: _seconds(r, r.reached.loss)),
        Row("training to equal PSNR, s (steps)", lambda r: _seconds(r, r.reached.psnr_y)),
        Row("loss at the end", lambda r: f"{r.curve.loss[-1]:.5f}"),
        Row("PSNR-Y, dB", lambda r: f"{r.quality.psnr_y:.2f}"),
        Row(f"  less {first}'s (standard error)", lambda r: f"{r.quality.psnr_gain:+.2f} ({r.quality.psnr_gain_error:.2f})"),
        Row("SSIM-Y", lambda r: f"{r.quality.ssim_y:.4f}"),
        Row("sharpness, the original's being 1", lambda r: f"{r.quality.sharpness:.3f}"),
        Row("before training: flat picture, steps of 255", lambda r: f"{r.before.constant_steps:.2f}"),
        Row("  smooth wave at the stride, dB", lambda r: f"{r.before.smooth_db:.1f}"),
        Row("  the same in the head's share, dB", lambda r: f"{r.before.detail_db:.1f}"),
        Row("  phase imbalance of the kernel", lambda r: f"{r.before.phase_imbalance:.3f}"),
        Row("after training: flat picture, steps of 255", lambda r: f"{r.after.constant_steps:.2f}"),
        Row("  smooth wave at the stride, dB", lambda r: f"{r.after.smooth_db:.1f}"),
        Row("  the same in the head's share, dB", lambda r: f"{r.after.detail_db:.1f}"),
        Row("  phase imbalance of the kernel", lambda r: f"{r.after.phase_imbalance:.3f}"),
        Row("exported graph's error, noise floors", lambda r: f"{r.parity:.1f}"),
    )


def heading(setup: Setup) -> str:
    """One sentence on what the figures are of."""
    return (
        f"{setup.steps:,} steps of {setup.batch} patches of {setup.patch_px}x{setup.patch_px}, seed {setup.seed}; "
        f"trained on {setup.pictures}; {setup.machine}, {setup.threads} thread{'s' if setup.threads > 1 else ''}, "
        + ", ".join(f"{name} {version}" for name, version in setup.versions.items())
    )


def text(comparison: Comparison) -> str:
    """The table for a terminal."""
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


def _seconds(result: Result, steps: float | None) -> str:
    return "not reached" if steps is None else f"{result.seconds_of(steps):.1f} ({steps:.0f})"


def _ratio(timing: Timing) -> str:
    return f"{timing.ratio:.2f} ({timing.quartiles[0]:.2f}-{timing.quartiles[1]:.2f})"
