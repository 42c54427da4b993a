"""What each candidate costs in time, measured in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from upconv.export.turns import Timing, in_turns
from upconv.models.training.comparison.matched import Trained
from upconv.models.training.config import TrainingConfig
from upconv.models.training.loop import TrainingRun
from upconv.runtime import open_model


@dataclass(frozen=True)
class Timings:
    """All that is timed of one candidate."""

    step: Timing
    """Of one optimiser step."""
    torch: Timing
    """Of one picture through the torch module."""
    onnxruntime: Timing
    """Of one picture through the exported graph, by a session whose threads do not spin."""


OnRound = Callable[[str, int], None]
"""Called after each round with what is being timed and how many rounds it has had."""


def timings(
    trained: Sequence[Trained],
    config: TrainingConfig,
    batch: tuple[Tensor, Tensor],
    side_px: int,
    rounds: int,
    on_round: OnRound,
) -> list[Timings]:
    """Training steps on `batch`, then pictures of (1, 3, side, side) through torch and onnxruntime, for each candidate."""
    image = np.random.default_rng(0).random((1, 3, side_px, side_px), np.float32)
    with tempfile.TemporaryDirectory() as folder:  # where there is no checkpoint to go on from
        runs = [TrainingRun(config, Path(folder), t.candidate.decoder) for t in trained]
    models = [open_model(t.exported, threads=torch.get_num_threads()) for t in trained]
    tasks: Mapping[str, list[Callable[[], object]]] = {
        "training step": [partial(run.advance, *batch) for run in runs],
        "torch": [partial(_infer, t.decoder, torch.from_numpy(image)) for t in trained],
        "onnxruntime": [partial(model.run, image) for model in models],
    }
    timed = [in_turns(each, rounds, partial(on_round, what)) for what, each in tasks.items()]
    return [Timings(*each) for each in zip(*timed, strict=True)]


def _infer(decoder: nn.Module, image: Tensor) -> object:
    with torch.inference_mode():
        return decoder(image)
