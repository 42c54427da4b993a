"""Training candidates alike: the same pictures in the same order, the same budget, the same first weights of the body."""

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
"""Of each training curve."""


@dataclass(frozen=True)
class Curve:
    """How one training went: a point for each validation."""

    steps: tuple[int, ...]
    loss: tuple[float, ...]
    """The training loss, averaged over some hundred steps."""
    psnr_y: tuple[float, ...]
    """Of the averaged weights on small crops of the held-out pictures, in dB."""


def budget(steps: int, seed: int = 0, model: UpscalerConfig | None = None) -> TrainingConfig:
    """The training of every candidate: that of the `s` models, with warm-up and averages in proportion to `steps`."""
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
    """When a candidate was as good as the worst of all at its end, in steps; none where it never was."""

    loss: float | None
    """The training loss."""
    psnr_y: float | None
    """On the held-out crops."""


@dataclass(frozen=True)
class Trained:
    """A candidate after its training."""

    candidate: Candidate
    curve: Curve
    decoder: CompactUpscaler
    """With the averaged weights of the last step: the best of several would favour luck."""
    exported: Path
    """Its graph, proved equal."""
    parity: float
    """That graph's error in noise floors of torch's own float32; the export allows four."""


def train(
    candidate: Candidate,
    config: TrainingConfig,
    pictures: Pictures,
    work: Path,
    report: Callable[[loop.TrainingProgress], None] = lambda _: None,
) -> Trained:
    """Train one candidate in `work`/its name, going on where an earlier call stopped, and export it there."""
    out = work / candidate.name
    loop.train(config, pictures.patches, pictures.curve, out, build=candidate.decoder, report=report)
    decoder = candidate.decoder(config)
    decoder.load_state_dict(loop.averaged_weights(out))
    source = from_module(decoder, name=candidate.name, shape=(1, 3, 32, 32), origin="upconv compare")
    artifact = to_onnx(source, out=out / "model.onnx")
    evidence = artifact.contract.evidence.parity[-1]
    return Trained(candidate, read_curve(out / "log.csv"), decoder, artifact.path, evidence.max_abs / evidence.noise_floor)


def untrained(candidate: Candidate, config: TrainingConfig) -> CompactUpscaler:
    """The decoder that training begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return candidate.decoder(config).eval()


def to_equal(curves: Sequence[Curve], index: int) -> Reached:
    """When the curve at `index` was where the worst of all ended."""
    curve = curves[index]
    return Reached(
        loss=first_reached(curve.steps, [-loss for loss in curve.loss], -max(c.loss[-1] for c in curves)),
        psnr_y=first_reached(curve.steps, curve.psnr_y, min(c.psnr_y[-1] for c in curves)),
    )


def read_curve(log: Path) -> Curve:
    """The points of a training's `log.csv`, of each step the last, as a resumed run may have written it twice."""
    with log.open(newline="") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    steps = sorted(rows)
    return Curve(tuple(steps), tuple(float(rows[s]["loss"]) for s in steps), tuple(float(rows[s]["psnr_y"]) for s in steps))


def first_reached(steps: Sequence[int], values: Sequence[float], target: float) -> float | None:
    """The step at which rising `values` first reach `target`, linear between points; none where they never do."""
    for index, value in enumerate(values):
        if value >= target:
            if index == 0:
                return float(steps[0])
            share = (target - values[index - 1]) / (value - values[index - 1])
            return steps[index - 1] + share * (steps[index] - steps[index - 1])
    return None


def claim(work: Path, config: TrainingConfig, pictures: Pictures) -> None:
    """Note in `work` what is trained there; raises `ParameterError` where it holds another comparison."""
    work.mkdir(parents=True, exist_ok=True)
    path = work / "comparison.json"
    settings: dict[str, Any] = {"pictures": pictures.described, "training": asdict(config)}
    if not path.exists():
        write_atomically(path, (json.dumps(settings, indent=2) + "\n").encode())
    elif json.loads(path.read_text()) != settings:
        raise ParameterError(f"{work} holds a comparison with other settings or pictures ({path}); give another --work")
