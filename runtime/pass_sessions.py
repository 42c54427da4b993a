"""The onnxruntime sessions of a model that computes a picture in several passes.

A pass computes only the nodes that its outputs need, so each pass has a session of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from upconv.runtime.contract import Contract
from upconv.runtime.subgraph import Shape, extract

Means = Mapping[str, NDArray[np.float32]]
"""The means that earlier passes have computed, by the name of their tensor."""


@dataclass(frozen=True)
class ModelPass:
    """A part of a model that one pass computes."""

    means: Means
    """The means that are given."""
    level: int | None = None
    """The level of the means whose feature maps are computed. `None` for the output."""


class PassSessions:
    """The sessions of a model's passes. Each is opened when it is first needed. Any thread may use it."""

    def __init__(
        self, model: bytes, contract: Contract, image: str, output: str, opened: Callable[[bytes], ort.InferenceSession]
    ) -> None:
        """Use the file's bytes, its contract, the names of its input and output, and a function that opens bytes."""
        self._model = model
        self._contract = contract
        self._image = image
        self._output = output
        self._opened = opened
        self._lock = threading.Lock()
        self._sessions: dict[int | None, ort.InferenceSession] = {}

    def session(self, level: int | None) -> ort.InferenceSession:
        """Return the session for the feature maps of a level, or for the output if `level` is `None`.

        Its inputs are the image and the means of the levels below. Raises `ModelError` if the file does not hold the tensors
        that its contract names.
        """
        with self._lock:
            if level not in self._sessions:
                self._sessions[level] = self._opened(self._part(level))
            return self._sessions[level]

    def _part(self, level: int | None) -> bytes:
        statistics = self._contract.statistics
        given: dict[str, Shape] = {s.mean: s.shape for s in statistics if level is None or s.level < level}
        outputs = [self._output] if level is None else [s.features for s in statistics if s.level == level]
        channels = self._contract.input.channels if self._contract.input else 3
        return extract(self._model, {self._image: ("n", channels, "h", "w")} | given, outputs)
