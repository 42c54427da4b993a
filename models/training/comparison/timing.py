"""The times of each candidate, measured in turns."""

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
    """The times of one candidate."""

    step: Timing
    """Time of one optimiser step."""
    torch: Timing
    """Time of one picture in the torch module."""
    onnxruntime: Timing
    """Time of one picture in the exported graph, in a session whose threads do not spin."""


OnRound = Callable[[str, int], None]
"""A function of the task that is timed and the number of rounds that are done, called after each round."""


def timings(
    trained: Sequence[Trained],
    config: TrainingConfig,
    batch: tuple[Tensor, Tensor],
    side_px: int,
    rounds: int,
    on_round: OnRound,
) -> list[Timings]:
    """Return the times of each candidate.

    They are those of training steps on `batch`, and of a picture of (1, 3, side, side) in torch and in onnxruntime.
    """
    image = np.random.default_rng(0).random((1, 3, side_px, side_px), np.float32)
    with tempfile.TemporaryDirectory() as folder:  # a folder without a checkpoint, so that the runs start at step 0
        runs = [TrainingRun(config, Path(folder), t.candidate.decoder) for t in trained]
    models = [open_model(t.exported, threads=torch.get_num_threads()) for t in trained]
    tasks: Mapping[str, list[Callable[[], object]]] = {
        "training step": [partial(run.advance, *batch) for run in runs],
        "torch": [partial(_infer, t.decoder, torch.from_numpy(image)) for t in trained],
        "onnxruntime": [partial(model.run, image) for model in models],
    }
    timed = [in_turns(each, rounds, partial(on_round, name)) for name, each in tasks.items()]
    return [Timings(*each) for each in zip(*timed, strict=True)]


def _infer(decoder: nn.Module, image: Tensor) -> object:
    with torch.inference_mode():
        return decoder(image)
