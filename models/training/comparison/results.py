"""The results of a comparison."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from upconv.models.training.comparison.artefacts import Artefacts, Responses
from upconv.models.training.comparison.matched import Curve, Reached
from upconv.models.training.comparison.memory import PeakMemory
from upconv.models.training.comparison.quality import MeanScores
from upconv.models.training.comparison.timing import Timings
from upconv.models.training.data import Pixels


@dataclass(frozen=True)
class Setup:
    """The settings of training and measurement, which all candidates share."""

    pictures: str
    """Description of the training pictures and the held-out pictures."""
    steps: int
    batch: int
    patch_px: int
    seed: int
    picture_px: int
    """Side of the picture for operations and times, in pixels."""
    memory_px: int
    """Side of the picture for memory, in pixels."""
    rounds: int
    """Rounds of each timing."""
    threads: int
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True)
class CandidateResult:
    """The measurements of one candidate."""

    name: str
    summary: str
    parameters: int
    head_parameters: int
    gflops: float
    memory: PeakMemory
    timings: Timings
    curve: Curve
    reached: Reached
    quality: MeanScores
    before: Artefacts
    """The checkerboard with the initial weights."""
    after: Artefacts
    """The checkerboard after training."""
    parity: float
    """Error of the exported graph, in noise floors. The export allows four."""

    @property
    def seconds(self) -> tuple[float, ...]:
        """Return the training time at each point of the curve, in seconds."""
        return tuple(self.seconds_of(step) for step in self.curve.steps)

    def seconds_of(self, steps: float) -> float:
        """Return the training time of this number of steps, in seconds.

        It is a multiple of the median step, because a clock would include other work of the machine.
        """
        return steps * self.timings.step.ms / 1000


@dataclass(frozen=True)
class Exhibit:
    """The pictures that show the results of one candidate."""

    before: Responses
    after: Responses
    crops: tuple[Pixels, ...]
    """Crops of the held-out pictures, upscaled by the trained decoder."""


@dataclass(frozen=True)
class DecoderComparison:
    """The results of all candidates. The others are compared with the first one."""

    setup: Setup
    results: tuple[CandidateResult, ...]
    exhibits: tuple[Exhibit, ...]
    """One exhibit for each result."""
    originals: dict[str, Pixels]
    """The original of each crop, by the name of the held-out picture."""

    def as_dict(self) -> dict[str, Any]:
        """Return all figures for JSON, without the pictures."""
        return {"setup": asdict(self.setup), "results": [asdict(result) for result in self.results]}


def busiest(picture: Pixels, side_px: int) -> tuple[slice, slice]:
    """Return the rows and columns of the square of `side_px` with the largest gradients in a picture (H, W, 3)."""
    grey = picture.astype(np.float32).mean(axis=2)
    slope = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]
    places = [
        (row, column)
        for row in range(0, max(1, picture.shape[0] - side_px + 1), side_px // 2)
        for column in range(0, max(1, picture.shape[1] - side_px + 1), side_px // 2)
    ]
    row, column = max(places, key=lambda p: float(slope[p[0] : p[0] + side_px, p[1] : p[1] + side_px].mean()))
    return slice(row, row + side_px), slice(column, column + side_px)
