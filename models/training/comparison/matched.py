"""Matched training: all candidates have the same pictures in the same order, budget and initial body."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from upconv.export import from_module, to_onnx
from upconv.models.training import loop
from upconv.models.training.comparison.candidates import Candidate
from upconv.models.training.comparison.pictures import Pictures
from upconv.models.training.config import TrainingConfig, UpscalerConfig
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.codecs import write_atomically
from upconv.runtime.errors import ParameterError

POINTS = 15
"""Points of each training curve."""


@dataclass(frozen=True)
class Curve:
    """The course of one training, with a point for each validation."""

    steps: tuple[int, ...]
    loss: tuple[float, ...]
    """The training loss, averaged over about a hundred steps."""
    psnr_y: tuple[float, ...]
    """PSNR-Y of the averaged weights on small crops of the held-out pictures, in dB."""


def budget(steps: int, seed: int = 0, model: UpscalerConfig | None = None) -> TrainingConfig:
    """Return the configuration of every candidate's training.

    It is that of the `s` models, with a warm-up and an average in proportion to `steps`.
    """
    return TrainingConfig(
        model=model or UpscalerConfig(),
        steps=steps,
        warmup_steps=max(1, min(500, steps // 10)),
        ema_decay=min(0.999, 1 - 1 / max(2, steps // 20)),
        validate_every=max(1, steps // POINTS),
        seed=seed,
    )


@dataclass(frozen=True)
class Reached:
    """The steps after which a candidate is as good as the worst candidate at the end, or `None` if never."""

    loss: float | None
    """Steps to equal training loss."""
    psnr_y: float | None
    """Steps to equal PSNR-Y on the held-out crops."""


@dataclass(frozen=True)
class Trained:
    """A candidate after its training."""

    candidate: Candidate
    curve: Curve
    decoder: CompactUpscaler
    """The decoder with the averaged weights of the last step. The best of several steps would depend on chance."""
    exported: Path
    """The exported file, which was proved equal."""
    parity: float
    """Error of the exported graph, in noise floors. The export allows four."""


def train(
    candidate: Candidate,
    config: TrainingConfig,
    pictures: Pictures,
    work: Path,
    report: Callable[[loop.TrainingProgress], None] = lambda _: None,
) -> Trained:
    """Train one candidate in a folder of `work`, or resume its training there, and export it."""
    out = work / candidate.name
    loop.train(config, pictures.patches, pictures.curve, out, build=candidate.decoder, report=report)
    decoder = candidate.decoder(config)
    decoder.load_state_dict(loop.averaged_weights(out))
    source = from_module(decoder, name=candidate.name, shape=(1, 3, 32, 32), origin="upconv compare")
    artifact = to_onnx(source, out=out / "model.onnx")
    evidence = artifact.contract.evidence.parity[-1]
    return Trained(candidate, read_curve(out / "log.csv"), decoder, artifact.path, evidence.max_abs / evidence.noise_floor)


def untrained(candidate: Candidate, config: TrainingConfig) -> CompactUpscaler:
    """Return the decoder with the initial weights of its training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return candidate.decoder(config).eval()


def to_equal(curves: Sequence[Curve], index: int) -> Reached:
    """Return the steps after which the curve at `index` is as good as the worst of all at the end."""
    curve = curves[index]
    return Reached(
        loss=first_reached(curve.steps, [-loss for loss in curve.loss], -max(c.loss[-1] for c in curves)),
        psnr_y=first_reached(curve.steps, curve.psnr_y, min(c.psnr_y[-1] for c in curves)),
    )


def read_curve(log: Path) -> Curve:
    """Read a curve from `log.csv`. A resumed run may have written a step twice; the last row counts."""
    with log.open(newline="") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    steps = sorted(rows)
    return Curve(tuple(steps), tuple(float(rows[s]["loss"]) for s in steps), tuple(float(rows[s]["psnr_y"]) for s in steps))


def first_reached(steps: Sequence[int], values: Sequence[float], target: float) -> float | None:
    """Return the first step at which `values` reach `target`, or `None` if they never do.

    Values between two points are interpolated linearly.
    """
    for index, value in enumerate(values):
        if value >= target:
            if index == 0:
                return float(steps[0])
            share = (target - values[index - 1]) / (value - values[index - 1])
            return steps[index - 1] + share * (steps[index] - steps[index - 1])
    return None


def claim(work: Path, config: TrainingConfig, pictures: Pictures) -> None:
    """Write the settings into `work`. Raises `ParameterError` if it contains another comparison."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / "comparison.json"
    settings: dict[str, Any] = {"pictures": pictures.described, "training": asdict(config)}
    if not path.exists():
        write_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())
    elif json.loads(path.read_text()) != settings:
        raise ParameterError(f"{work} contains a comparison with other settings or pictures ({path}); give another --work")
