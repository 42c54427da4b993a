from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from upconv.models.training.comparison import budget, pictures
from upconv.models.training.comparison.pictures import BUNDLED_HELD_OUT, BUNDLED_TRAINING
from upconv.models.training.config import TrainingConfig
from upconv.runtime.errors import ParameterError


def test_the_bundled_pictures_are_not_held_out_too() -> None:
    assert not set(BUNDLED_TRAINING) & set(BUNDLED_HELD_OUT)
    loaded = pictures(budget(10))
    assert len(loaded.held_out) == len(loaded.curve) == len(BUNDLED_HELD_OUT)
    assert "astronaut" in loaded.described


def test_unsuitable_folders_are_refused(tiny: TrainingConfig, folders: tuple[Path, Path], tmp_path: Path) -> None:
    for training, validation, reason in (
        (folders[0], None, "belong together"),
        (folders[0], folders[0], "in both --data and --validation"),
        (tmp_path, folders[1], "no images"),
        (tmp_path / "none", folders[1], "no images"),
    ):
        with pytest.raises(ParameterError, match=reason):
            pictures(tiny, training, validation)


@pytest.mark.parametrize(("side", "taken"), [(383, 382), (384, 384), (400, 384)])
def test_the_middle_384_pixels_of_a_held_out_picture_are_measured(side: int, taken: int, tmp_path: Path) -> None:
    for folder in ("training", "validation"):
        (tmp_path / folder).mkdir()
        Image.effect_noise((side, side), 90).convert("RGB").save(tmp_path / folder / f"{folder}.png")
    made = pictures(budget(1), tmp_path / "training", tmp_path / "validation")
    assert made.held_out[0][1].shape[:2] == (taken, taken)
