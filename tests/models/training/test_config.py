from __future__ import annotations

from pathlib import Path

import pytest

from upconv.models.training.__main__ import CONFIGS
from upconv.models.training.comparison.matched import budget
from upconv.models.training.config import TrainingConfig, UpscalerConfig


def test_the_budget_of_the_small_models() -> None:
    config = TrainingConfig()
    assert (config.steps, config.batch, config.patch_px, config.seed) == (40_000, 16, 48, 0)
    assert config.model == UpscalerConfig(head="upsample", scale=2, channels=32, depth=5)


def test_a_comparison_differs_in_its_steps_alone() -> None:
    """The training of docs/upsample-vs-convtranspose.md: a point of the curve every 100 of 1,500 steps."""
    config = budget(1500)
    assert (config.steps, config.validate_every, config.batch, config.patch_px) == (1500, 100, 16, 48)
    assert config.model == UpscalerConfig()


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_the_projects_own_configurations_load(path: Path) -> None:
    assert TrainingConfig.load(path).steps > 1000


def test_a_setting_that_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("step = 3")
    with pytest.raises(ValueError, match="unknown setting 'step'"):
        TrainingConfig.load(tmp_path / "c.toml")
