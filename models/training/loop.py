"""The training loop. It can be resumed, depends only on the seed, and keeps the best validated weights."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from upconv.models.catalogue import CATALOGUE
from upconv.models.layers import UpsampleHead
from upconv.models.training.config import TrainingConfig
from upconv.models.training.data import Patches, Pixels
from upconv.models.training.evaluation import Score, score
from upconv.models.training.expansion import expand, folded
from upconv.models.training.folding import FoldedUpsampleHead
from upconv.models.upscalers import CompactUpscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, SourceError
from upconv.runtime.picture import LUMA

CHECKPOINT_S = 300.0
"""Seconds between checkpoints: the most training that is lost if the machine fails."""


@dataclass(frozen=True)
class TrainingProgress:
    """The state of a training run after a step."""

    step: int
    loss: float
    score: Score | None
    """Score of the latest validation. `None` before the first one."""


def train(
    config: TrainingConfig,
    patches: Patches,
    pairs: list[tuple[Pixels, Pixels]],
    out: Path,
    *,
    build: Callable[[TrainingConfig], nn.Module] | None = None,
    report: Callable[[TrainingProgress], None] = lambda _: None,
    stop: Cancellation | None = None,
) -> Score:
    """Train until `config.steps`, and return the best validation score. A run in `out` is resumed.

    `build` makes the module, after torch's generator is seeded; the default is `configured`. The run writes `log.csv`,
    `checkpoint.pt` at each validation and every five minutes, and `best.safetensors` if a validation is better than all
    before. Two runs of one configuration on one machine give the same bits, even if one is interrupted.

    Raises `Cancelled`, after a checkpoint, if `stop` is cancelled before the last step.
    """
    out.mkdir(parents=True, exist_ok=True)
    run = TrainingRun(config, out, build or configured)
    while run.step < config.steps:
        run.advance(*patches.batch(config.seed, run.step, config.batch))
        if run.step % config.validate_every == 0 or run.step == config.steps:
            run.validate(pairs)
        elif time.monotonic() - run.saved_at > CHECKPOINT_S:
            run.save()
        report(TrainingProgress(run.step, run.smooth_loss, run.latest))
        if stop is not None and stop.cancelled and run.step < config.steps:
            run.save()
            raise Cancelled(f"stopped after {run.step} of {config.steps} steps; run the same command to continue")
    return run.best or run.validate(pairs)


class TrainingRun:
    """The model, the optimiser and the averaged weights of one run, with their checkpoint."""

    def __init__(self, config: TrainingConfig, out: Path, build: Callable[[TrainingConfig], nn.Module]) -> None:
        torch.manual_seed(config.seed)
        self.config, self.out = config, out
        self.step, self.smooth_loss, self.seconds = 0, 0.0, 0.0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        start = _start(config.start, out) if config.start else None
        self.model = _new_model(config, build, start).to(self.device)
        if isinstance(self.model, CompactUpscaler) and isinstance(self.model.head, UpsampleHead):
            self.model.head = FoldedUpsampleHead(self.model.head).to(self.device)
        if config.expansion:
            expand(self.model, config.expansion).to(self.device)
        self.average = _new_model(config, build, start).to(self.device).requires_grad_(False).eval()
        self._update_average()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate)
        self.saved_at = time.monotonic()
        self.best: Score | None = None
        self.latest: Score | None = None
        if (out / "checkpoint.pt").exists():
            self._load(torch.load(out / "checkpoint.pt", weights_only=True, map_location=self.device))

    def advance(self, low: Tensor, high: Tensor) -> None:
        """Make one optimiser step with a batch of low and high resolution."""
        started = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, self.step)
        low, high = (t.to(self.device, memory_format=torch.channels_last) for t in (low, high))
        loss = _loss(self._predict(low) - high, self.config.luma_weight)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        self._update_average()
        self.smooth_loss += (loss.item() - self.smooth_loss) * max(0.01, 1 / self.step)
        self.seconds += time.perf_counter() - started

    def validate(self, pairs: list[tuple[Pixels, Pixels]]) -> Score:
        """Score the averaged weights, save them if they are the best so far, and write log and checkpoint."""
        self.latest = score(self._enlarge, pairs, self.config.model.scale)
        if self.best is None or self.latest.psnr_y > self.best.psnr_y:
            self.best = self.latest
            weights = {name: t.detach().contiguous().cpu() for name, t in self.average.state_dict().items()}
            _replace(self.out / "best.safetensors", lambda path: save_file(weights, path))
        self._log(self.latest)
        self.save()
        return self.latest

    def save(self) -> None:
        """Write a checkpoint, from which a later run continues with the same result."""
        state = {
            "step": self.step,
            "smooth_loss": self.smooth_loss,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": None if self.best is None else vars(self.best),
            "latest": None if self.latest is None else vars(self.latest),
        }
        _replace(self.out / "checkpoint.pt", lambda path: torch.save(state, path))
        self.saved_at = time.monotonic()

    def _load(self, state: dict[str, Any]) -> None:
        self.step, self.smooth_loss, self.seconds = state["step"], state["smooth_loss"], state["seconds"]
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise SourceError(f"{self.out} holds a run of another network; give another folder, or empty it") from error
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = None if state["best"] is None else Score(**state["best"])
        self.latest = None if state["latest"] is None else Score(**state["latest"])

    def _predict(self, low: Tensor) -> Tensor:
        reduced = torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
        if not isinstance(self.model, CompactUpscaler):
            with reduced:
                result: Tensor = self.model(low)
            return result.float()
        with reduced:
            detail = self.model.detail(low)
        # In float32, because rounding the upscaled input to bf16 would limit the result to 54 dB.
        base: Tensor = self.model.base(low)
        return detail.float() + base

    def _update_average(self) -> None:
        # A shorter average at the start, because a long one would consist mostly of the random weights.
        decay = min(self.config.ema_decay, self.step / (self.step + 10))
        with torch.no_grad():
            names, parameters = zip(*self.average.named_parameters(), strict=True)
            for kept, new in zip(parameters, folded(self.model, names), strict=True):
                kept.lerp_(new, 1 - decay)
            for kept, new in zip(self.average.buffers(), self.model.buffers(), strict=True):  # such as those of BatchNorm
                kept.copy_(new)

    def _enlarge(self, low: Pixels) -> Pixels:
        image = torch.from_numpy(np.array(low)).to(self.device).permute(2, 0, 1)[None].float() / 255
        with torch.inference_mode():
            result = self.average(image.contiguous(memory_format=torch.channels_last))
        pixels: Pixels = (result[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()
        return pixels

    def _log(self, now: Score) -> None:
        path = self.out / "log.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "seconds", "loss", "psnr_y", "bicubic_psnr_y"])
            writer.writerow(
                [self.step, round(self.seconds), f"{self.smooth_loss:.6f}", f"{now.psnr_y:.4f}", f"{now.bicubic_psnr_y:.4f}"]
            )


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Return the learning rate of a step: a linear warm-up, and a cosine that is zero after the last step."""
    warmup = min(1.0, (step + 1) / config.warmup_steps)
    return config.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def configured(config: TrainingConfig) -> nn.Module:
    """Return the model that `config.model` describes, with random weights."""
    return config.model.build()


def averaged_weights(out: Path) -> dict[str, Tensor]:
    """Return the averaged weights of the checkpoint in `out`. Raises `FileNotFoundError` if there is none."""
    weights: dict[str, Tensor] = torch.load(out / "checkpoint.pt", weights_only=True, map_location="cpu")["average"]
    return weights


def _start(name: str, out: Path) -> Path:
    beside = out.parent / name / "best.safetensors"
    path = beside if beside.is_file() else CATALOGUE[name].weights if name in CATALOGUE else None
    if path is None or not path.is_file():
        raise SourceError(
            f"{out.name} starts from the weights of {name}, which do not exist; train {name} first, into {beside.parent}"
        )
    return path


def _new_model(config: TrainingConfig, build: Callable[[TrainingConfig], nn.Module], path: Path | None) -> nn.Module:
    model = build(config)
    if path is not None:
        # Every tensor of the same shape is loaded; a head of another scale keeps its random weights.
        fitting = {
            k: t for k, t in load_file(path).items() if k in model.state_dict() and t.shape == model.state_dict()[k].shape
        }
        model.load_state_dict(fitting, strict=False)
    return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _loss(difference: Tensor, luma_weight: float) -> Tensor:
    weights = torch.from_numpy(LUMA).to(difference.device).view(1, 3, 1, 1)
    luma = (difference * weights).sum(dim=1)
    return luma_weight * luma.abs().mean() + (1 - luma_weight) * difference.abs().mean()


def _replace(path: Path, write: Callable[[Path], None]) -> None:
    partial = path.with_name(path.name + ".partial")
    write(partial)
    os.replace(partial, path)
