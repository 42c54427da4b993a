from __future__ import annotations

from pathlib import Path

import pytest

from upconv.models.training.__main__ import CONFIGS
from upconv.models.training.config import TrainingConfig


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_the_projects_own_configurations_load(path: Path) -> None:
    assert TrainingConfig.load(path).steps > 1000


def test_a_setting_that_is_not_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("step = 3")
    with pytest.raises(ValueError, match="unknown setting 'step'"):
        TrainingConfig.load(tmp_path / "c.toml")
