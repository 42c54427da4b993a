from __future__ import annotations

from pathlib import Path

import pytest

from upconv.models.training.comparison import memory
from upconv.models.training.comparison.memory import PeakMemory
from upconv.models.training.config import TrainingConfig


def test_a_system_without_the_counters_has_no_figures(
    tiny: TrainingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    assert memory.memory("upsample", tiny, tmp_path / "model.onnx", 64, 1) == PeakMemory(None, None, None)
