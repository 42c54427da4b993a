"""Keeps a change to a graph only where it is measured to be faster, on this machine, in turns."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from upconv.export.deviation import PHOTOGRAPH
from upconv.export.parity.backends import Array
from upconv.export.reference import random_inputs
from upconv.export.sizes import InputAxis
from upconv.export.sources import Source
from upconv.export.storage import opened
from upconv.export.turns import in_turns
from upconv.runtime.calibration import TILE_PX
from upconv.runtime.codecs import read
from upconv.runtime.contract import SessionOptions, Tuning, TuningTrial
from upconv.runtime.errors import ExportError, first_line
from upconv.runtime.session import DEFAULT, session_options

ROUNDS = 41
"""Most rounds of one comparison."""

RUN_S = 0.1
"""What one run of the model should take at most: smaller tiles are tried where it takes longer."""

SHARES = 10
"""Comparisons that the budget should suffice for."""

WISHES = {
    "without memory arena": SessionOptions(arena=False),
    "with memory pattern": SessionOptions(memory_pattern=True),
    "without blocked layout": SessionOptions(blocked=False),
}
"""Ways to open a session that are tried, one after the other."""

LEAST_GAIN = 1.02
"""What three of four rounds must show: less is within what memory happens to lie like."""

Feed = dict[str, Array]
OnTrial = Callable[[TuningTrial], None]


@dataclass
class Tuner:
    """What has been tried so far, and the time that is left for more."""

    budget_s: float = 60.0
    on_trial: OnTrial = lambda _: None
    """Called after each comparison."""
    trials: list[TuningTrial] = field(default_factory=list)
    session: SessionOptions = DEFAULT
    """The best way to open a session, of those tried."""
    spent_s: float = 0.0
    """Of the budget."""
    _inputs: list[Array] = field(default_factory=list)

    def watch(self, model: onnx.ModelProto, inputs: Iterator[list[Array]]) -> None:
        """Measure on the first of these inputs, from the largest down, that `model` takes no longer for than it should."""
        session = _opened(model, DEFAULT)
        for arrays in inputs:
            self._inputs = arrays
            started = time.perf_counter()
            session.run(None, _feed(session, arrays))
            if time.perf_counter() - started <= RUN_S:
                break

    def wins(self, name: str, before: onnx.ModelProto, after: onnx.ModelProto) -> bool:
        """Whether a changed model is faster by more than the spread of what is measured; the trial is put down."""
        return self._compared(name, _opened(before, self.session), _opened(after, self.session))

    def tune_session(self, model: onnx.ModelProto) -> None:
        """Find the best way to open a session for the model."""
        for name, wish in WISHES.items():
            changed = self.session.model_copy(update=wish.model_dump(exclude_defaults=True))
            if self._compared(name, _opened(model, self.session), _opened(model, changed)):
                self.session = changed

    def result(self) -> Tuning:
        """What was tried, for the contract."""
        return Tuning(
            shape=tuple(self._inputs[0].shape),
            trials=tuple(self.trials),
            machine=processor(),
            runtime=f"onnxruntime {ort.__version__}",
        )

    def _compared(self, name: str, before: ort.InferenceSession, after: ort.InferenceSession) -> bool:
        started = time.perf_counter()
        tasks = [partial(s.run, None, _feed(s, self._inputs)) for s in (before, after)]
        share = min(self.budget_s / SHARES, max(0.0, self.budget_s - self.spent_s))
        timing = in_turns(tasks, ROUNDS, budget_s=share, clock=time.thread_time)[1]
        low, high = timing.quartiles
        self.spent_s += time.perf_counter() - started
        # The time of this thread alone, on which onnxruntime runs here: what other programs take does not count.
        trial = TuningTrial(name=name, speed=1 / timing.ratio, low=1 / high, high=1 / low, kept=1 / high > LEAST_GAIN)
        self.trials.append(trial)
        self.on_trial(trial)
        return trial.kept


def tiles(source: Source, axes: Sequence[InputAxis]) -> Iterator[list[Array]]:
    """Inputs of the size of a tile, then of smaller ones."""
    return (inputs_of(source, axes, TILE_PX >> n) for n in range(4))


def inputs_of(source: Source, axes: Sequence[InputAxis], side_px: int) -> list[Array]:
    """Inputs about as long as `side_px`: a photograph where the model takes pictures, noise elsewhere."""
    shapes = source.shapes
    for axis in axes:
        if axis.law is not None:
            length = max(axis.law.minimum, side_px // axis.law.multiple * axis.law.multiple)
            shapes = axis.resized(shapes, length) or shapes
    return [_pictured(x, source) for x in random_inputs(source, shapes, np.random.default_rng(0))]


def _pictured(noise: Array, source: Source) -> Array:
    if noise.ndim != 4 or noise.shape[1] not in (1, 3):
        return noise
    samples = np.asarray(read(PHOTOGRAPH).samples, np.float32) / np.float32(255)
    planes = samples.transpose(2, 0, 1) if noise.shape[1] == 3 else samples.mean(axis=2)[None]
    repeats = [-(-n // m) for n, m in zip(noise.shape[2:], planes.shape[1:], strict=True)]
    picture = np.tile(planes, (1, *repeats))[:, : noise.shape[2], : noise.shape[3]]
    low, high = np.float32(source.pixels.low), np.float32(source.pixels.high)
    return np.ascontiguousarray(np.broadcast_to(picture * (high - low) + low, noise.shape))


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _opened(model: onnx.ModelProto, wishes: SessionOptions) -> ort.InferenceSession:
    try:
        with opened(model) as graph:
            return ort.InferenceSession(graph, session_options(1, wishes=wishes), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises half a dozen unrelated types
        raise ExportError(f"onnxruntime cannot open the graph: {first_line(error)}") from error


def _feed(session: ort.InferenceSession, arrays: list[Array]) -> Feed:
    return {value.name: array for value, array in zip(session.get_inputs(), arrays, strict=True)}
