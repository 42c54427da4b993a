"""One small comparison, which the tests of this folder share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upconv.models.training.comparison import ComparisonPlan, DecoderComparison, budget, compare, named, pictures
from upconv.models.training.config import TrainingConfig, UpscalerConfig


@pytest.fixture(scope="session")
def tiny() -> TrainingConfig:
    """A training of six steps."""
    return replace(
        budget(6, model=UpscalerConfig(channels=4, depth=2)), batch=2, patch_px=12, precision="fp32", validate_every=2
    )


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders of training pictures and of held-out pictures."""
    random = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("pictures")
    for folder, count in (("train", 3), ("val", 2)):
        (root / folder).mkdir()
        for n in range(count):
            small = Image.fromarray(random.integers(0, 255, (13, 15, 3), np.uint8))
            small.resize((90, 78), Image.Resampling.BICUBIC).save(root / folder / f"{folder}-{n}.png")
    return root / "train", root / "val"


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the checkpoints."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def comparison(tiny: TrainingConfig, folders: tuple[Path, Path], work: Path) -> DecoderComparison:
    """The result of a comparison of two candidates."""
    plan = ComparisonPlan(tiny, named("deconv-uneven"), rounds=2, picture_px=16, memory_px=64)
    return compare(plan, pictures(tiny, *folders), work)
