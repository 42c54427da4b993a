"""Which of several forms of one model runs fastest on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from upconv.runtime.session import Model, open_model

ROUNDS = 3

SIDE_PX = 64
"""Side of the noise that is enlarged; minimum and multiple of all models that come in several forms allow it."""


def fastest_form(paths: Sequence[Path], provider: str = "cpu") -> Path:
    """The file whose best of a few runs takes least of one processor; the first on other providers, which lack int8."""
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
