"""Comparison of two forms of a model in turns, to keep a change only if it is faster on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import onnx
import onnxruntime as ort

from upconv.export.backends import Array
from upconv.export.distributions import likely_inputs
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source
from upconv.export.storage import opened
from upconv.export.turns import in_turns
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.contract import SessionOptions, TuningTrial
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.rounding import round_down
from upconv.runtime.session import DEFAULT, session_options

ROUNDS = 41
"""The most rounds of one comparison."""

RUN_S = 0.1
"""The longest run of the model, in seconds. If it takes longer, a smaller tile is tried."""

SHARES = 10
"""The number of comparisons that the budget is divided into."""

WISHES = {
    "without memory arena": SessionOptions(arena=False),
    "with memory pattern": SessionOptions(memory_pattern=True),
    "without blocked layout": SessionOptions(blocked=False),
}
"""The session options that are tried, one after the other."""

LEAST_GAIN = 1.02
"""The gain that three of four rounds must show. The layout of memory alone can cause a smaller one."""

Candidate = tuple[onnx.ModelProto, SessionOptions]
"""A model and the options of its session."""


@dataclass
class Tuner:
    """A comparison of candidates within a budget of time."""

    budget_s: float = 60.0
    """The time for all comparisons, in seconds."""
    on_trial: Callable[[TuningTrial], None] = lambda _: None
    """A function that is called after each comparison."""
    spent_s: float = 0.0
    """The part of the budget that is spent, in seconds."""

    def compare(self, name: str, before: Candidate, after: Candidate, inputs: Sequence[Array]) -> TuningTrial:
        """Measure two candidates in turns; the trial is kept if the second is faster by more than the spread."""
        sessions = [_opened(*candidate) for candidate in (before, after)]
        started = time.perf_counter()
        tasks = [partial(session.run, None, _feed(session, inputs)) for session in sessions]
        share = min(self.budget_s / SHARES, max(0.0, self.budget_s - self.spent_s))
        # onnxruntime runs in this thread here. Its processor time does not include the time of other programs.
        timing = in_turns(tasks, ROUNDS, budget_s=share, clock=time.thread_time)[1]
        low, high = timing.quartiles
        self.spent_s += time.perf_counter() - started
        trial = TuningTrial(name=name, speed=1 / timing.ratio, low=1 / high, high=1 / low, kept=1 / high > LEAST_GAIN)
        self.on_trial(trial)
        return trial


def quick_enough(model: onnx.ModelProto, inputs: Iterator[list[Array]]) -> tuple[Array, ...]:
    """Return the first inputs that the model computes within `RUN_S`, or the last ones.

    `inputs` are sorted from the largest to the smallest.
    """
    session = _opened(model, DEFAULT)
    arrays: list[Array] = []
    for arrays in inputs:
        started = time.perf_counter()
        session.run(None, _feed(session, arrays))
        if time.perf_counter() - started <= RUN_S:
            break
    return tuple(arrays)


def tiles(source: Source, axes: Sequence[InputAxis]) -> Iterator[list[Array]]:
    """Return inputs of the size of a tile, then of ever smaller sizes."""
    return (inputs_of(source, axes, TILE_PX >> n) for n in range(4))


def inputs_of(source: Source, axes: Sequence[InputAxis], side_px: int) -> list[Array]:
    """Return inputs with sides of about `side_px`: a photograph for a model of pictures, else the example or noise."""
    shapes = source.shapes
    for axis in axes:
        if axis.law is not None:
            length = axis.law.fitted(round_down(side_px, axis.law.multiple))
            shapes = axis.resized(shapes, length) or shapes
    return list(likely_inputs(source.example, [shapes], source.pixels)[0].arrays)


def _opened(model: onnx.ModelProto, settings: SessionOptions) -> ort.InferenceSession:
    try:
        with opened(model) as graph:
            return ort.InferenceSession(graph, session_options(1, settings=settings), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises several unrelated types
        raise ExportError(f"onnxruntime cannot open the graph: {first_line(error)}") from error


def _feed(session: ort.InferenceSession, arrays: Sequence[Array]) -> dict[str, Array]:
    return {value.name: array for value, array in zip(session.get_inputs(), arrays, strict=True)}
