"""What a comparison found."""

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
    """What all candidates had in common, and what they were measured on."""

    pictures: str
    """What was trained on and what was held out."""
    steps: int
    batch: int
    patch_px: int
    seed: int
    picture_px: int
    """Side of the picture that operations and times are of."""
    memory_px: int
    """Side of the picture that memory is of."""
    rounds: int
    """Of each time."""
    threads: int
    machine: str
    versions: dict[str, str]


@dataclass(frozen=True)
class CandidateResult:
    """What was measured of one candidate."""

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
    """The checkerboard with random weights."""
    after: Artefacts
    """The checkerboard after training."""
    parity: float
    """Error of the exported graph in noise floors of torch's own float32; the export allows four."""

    @property
    def seconds(self) -> tuple[float, ...]:
        """Training time at each point of the curve."""
        return tuple(self.seconds_of(step) for step in self.curve.steps)

    def seconds_of(self, steps: float) -> float:
        """Training time of so many steps: that many median steps, as a clock would count what else the machine did."""
        return steps * self.timings.step.ms / 1000


@dataclass(frozen=True)
class Exhibit:
    """What a candidate's results look like."""

    before: Responses
    after: Responses
    crops: tuple[Pixels, ...]
    """The same places of held-out pictures, enlarged by the trained decoder."""


@dataclass(frozen=True)
class DecoderComparison:
    """The whole of it; the first result is what the others are compared with."""

    setup: Setup
    results: tuple[CandidateResult, ...]
    exhibits: tuple[Exhibit, ...]
    """One for each result."""
    originals: dict[str, Pixels]
    """What the crops should be, by the held-out picture's name."""

    def as_dict(self) -> dict[str, Any]:
        """All numbers, for JSON; the pictures are left out."""
        return {"setup": asdict(self.setup), "results": [asdict(result) for result in self.results]}


def busiest(picture: Pixels, side_px: int) -> tuple[slice, slice]:
    """Where in a picture (H, W, 3) the square of `side_px` lies that differs most between neighbours, on an even place."""
    grey = picture.astype(np.float32).mean(axis=2)
    slope = np.abs(np.diff(grey, axis=0))[:, 1:] + np.abs(np.diff(grey, axis=1))[1:]
    places = [
        (row, column)
        for row in range(0, max(1, picture.shape[0] - side_px + 1), side_px // 2)
        for column in range(0, max(1, picture.shape[1] - side_px + 1), side_px // 2)
    ]
    row, column = max(places, key=lambda p: float(slope[p[0] : p[0] + side_px, p[1] : p[1] + side_px].mean()))
    return slice(row, row + side_px), slice(column, column + side_px)
