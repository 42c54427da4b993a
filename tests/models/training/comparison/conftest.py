"""One small comparison, which the tests of this folder share."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from upconv.export.turns import Timing
from upconv.models.training.comparison import ComparisonPlan, DecoderComparison, budget, compare, named, pictures
from upconv.models.training.comparison.artefacts import Artefacts
from upconv.models.training.comparison.matched import Curve, Reached
from upconv.models.training.comparison.memory import PeakMemory
from upconv.models.training.comparison.quality import MeanScores
from upconv.models.training.comparison.results import CandidateResult, Setup
from upconv.models.training.comparison.timing import Timings
from upconv.models.training.config import TrainingConfig, UpscalerConfig


@pytest.fixture(scope="session")
def tiny() -> TrainingConfig:
    """A training of six steps."""
    return replace(
        budget(6, model=UpscalerConfig(channels=4, depth=2)), batch=2, patch_px=12, precision="fp32", validate_every=2
    )


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all test processes."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "comparison"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def folders(shared: Path) -> tuple[Path, Path]:
    """Folders of training pictures and of held-out pictures."""
    random = np.random.default_rng(0)
    with FileLock(shared / "pictures.lock"):
        for folder, count in (("train", 3), ("val", 2)):
            (shared / folder).mkdir(exist_ok=True)
            for n in range(count):
                small = Image.fromarray(random.integers(0, 255, (13, 15, 3), np.uint8))
                if not (path := shared / folder / f"{folder}-{n}.png").exists():
                    small.resize((90, 78), Image.Resampling.BICUBIC).save(path)
    return shared / "train", shared / "val"


@pytest.fixture(scope="session")
def work(shared: Path) -> Path:
    """The folder of the checkpoints."""
    return shared / "work"


@pytest.fixture(scope="session")
def comparison(tiny: TrainingConfig, folders: tuple[Path, Path], work: Path, shared: Path) -> DecoderComparison:
    """The result of a comparison of two candidates, made by the first test process that needs it."""
    kept = shared / "comparison.pickle"
    with FileLock(shared / "comparison.lock"):
        if not kept.exists():
            plan = ComparisonPlan(tiny, named("deconv-uneven"), rounds=2, picture_px=16, memory_px=64)
            kept.write_bytes(pickle.dumps(compare(plan, pictures(tiny, *folders), work)))
        result: DecoderComparison = pickle.loads(kept.read_bytes())
    return result


@pytest.fixture(scope="session")
def setup() -> Setup:
    """The settings of a comparison that did not run."""
    return Setup("2 pictures", 200, 16, 48, 0, 256, 512, 31, 1, "2 cores", {"torch": "2.0"})


@pytest.fixture(scope="session")
def result() -> CandidateResult:
    """The figures of a candidate that was not trained."""
    before, after = Artefacts(300, -1, 19, 1.4, ()), Artefacts(0.4, -49, -11.5, 1.4, ())
    return CandidateResult(
        name="deconv",
        summary="a layer",
        parameters=48_003,
        head_parameters=867,
        gflops=6.61,
        memory=PeakMemory(419.4, None, 51),
        timings=Timings(Timing(20, 1, (1, 1)), Timing(50, 0.58, (0.56, 0.62)), Timing(30, 0.76, (0.71, 0.85))),
        curve=Curve((100, 200), (0.03, 0.016), (33, 34)),
        reached=Reached(loss=150, psnr_y=None),
        quality=MeanScores(34.0, 0.925, 0.737, -0.34, 0.05),
        before=before,
        after=after,
        parity=0.9,
    )
