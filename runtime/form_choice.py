"""Choice of the fastest among several forms of one model, such as fp32 and int8, on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from upconv.runtime.provider_choice import AUTO, provider_times
from upconv.runtime.provider_table import TABLE
from upconv.runtime.session import Model, open_model

ROUNDS = 3
"""The number of runs of each form."""

SIDE_PX = 64
"""Side of the input in pixels. The size laws of all models that come in several forms allow it."""


WORTH = 0.93
"""The most time that another form than the first may take, relative to it. The first is the most exact, and measurements vary."""


def fastest_form(paths: Sequence[Path], provider: str = "cpu") -> Path:
    """Return the file whose fastest run takes the least processor time, or the first one if it takes hardly more.

    With `auto`, that is the file with the fastest provider. Returns the first file without measuring if there is only one,
    or on an accelerator: CUDA has no fast int8, and the time of the processor says nothing about the others. Raises what `open_model` raises.
    """
    if len(paths) == 1 or (provider in TABLE and TABLE[provider].accelerator):
        return paths[0]
    if provider == AUTO:
        return _worthwhile(paths, [times.least_ms for times in provider_times(paths)])
    # With one thread, OpenVINO computes in the thread that calls it.
    models = [open_model(path, provider, threads=1) for path in paths]
    seconds = [min(times) for times in zip(*(map(_seconds, models) for _ in range(ROUNDS)), strict=True)]
    return _worthwhile(paths, seconds)


def _worthwhile(paths: Sequence[Path], times: Sequence[float]) -> Path:
    fastest = int(np.argmin(times))
    return paths[fastest] if times[fastest] <= WORTH * times[0] else paths[0]


def _seconds(model: Model) -> float:
    pixels = model.contract.input
    noise = np.random.default_rng(0).random((1, pixels.channels if pixels else 3, SIDE_PX, SIDE_PX), np.float32)
    started = time.thread_time()
    model.run(noise)
    return time.thread_time() - started
