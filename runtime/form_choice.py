"""Choice of the fastest among several forms of one model, such as fp32 and int8, on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from upconv.runtime.session import Model, open_model

ROUNDS = 3
"""The number of runs of each form."""

SIDE_PX = 64
"""Side of the input in pixels. The size laws of all models that come in several forms allow it."""


def fastest_form(paths: Sequence[Path], provider: str = "cpu") -> Path:
    """Return the file whose fastest run takes the least processor time.

    Returns the first file without measuring if there is only one, or on other providers than `cpu`, which have no fast
    int8. Raises what `open_model` raises.
    """
    if len(paths) == 1 or provider != "cpu":
        return paths[0]
    models = [open_model(path) for path in paths]
    seconds = [min(times) for times in zip(*(map(_seconds, models) for _ in range(ROUNDS)), strict=True)]
    return paths[int(np.argmin(seconds))]


def _seconds(model: Model) -> float:
    pixels = model.contract.input
    noise = np.random.default_rng(0).random((1, pixels.channels if pixels else 3, SIDE_PX, SIDE_PX), np.float32)
    started = time.thread_time()
    model.run(noise)
    return time.thread_time() - started
