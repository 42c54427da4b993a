from __future__ import annotations

from pathlib import Path

import torch

from upconv.models.training.comparison import CANDIDATES
from upconv.models.training.comparison.matched import Curve, Trained, untrained
from upconv.models.training.comparison.timing import timings
from upconv.models.training.config import TrainingConfig


def test_every_candidate_is_timed_in_every_task(tiny: TrainingConfig, nearest_x2: Path) -> None:
    trained = [Trained(c, Curve((1,), (0.1,), (30,)), untrained(c, tiny), nearest_x2, 1.0) for c in CANDIDATES[:2]]
    batch = torch.rand(2, 3, 12, 12), torch.rand(2, 3, 24, 24)
    rounds: list[tuple[str, int]] = []
    timed = timings(trained, tiny, batch, 16, 3, lambda task, done: rounds.append((task, done)))
    assert rounds == [(task, done) for task in ("training step", "torch", "onnxruntime") for done in (1, 2, 3)]
    assert len(timed) == 2
    assert [timed[0].step.ratio, timed[0].torch.ratio, timed[0].onnxruntime.ratio] == [1, 1, 1]
    assert all(timing.ms > 0 for timing in (timed[1].step, timed[1].torch, timed[1].onnxruntime))
