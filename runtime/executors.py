"""Who computes tiles: the seam between the engine's turns and the machines that do the work."""

from __future__ import annotations

from typing import Protocol

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.memory import release_free_memory
from upconv.runtime.session import Model, Tensor


class Executor(Protocol):
    """Computes batches of equal tiles; called from as many threads at once as it has slots."""

    @property
    def slots(self) -> int:
        """Batches that are worth computing at once."""

    @property
    def batch(self) -> int:
        """Largest number of tiles in a batch."""

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """(N, C, h, w) in, (N, C, scale*h, scale*w) out; gives up with `Cancelled` soon after `cancellation` is said.

        Raises `OutOfMemoryError` where a smaller tensor could succeed, and `ModelError` otherwise.
        """

    def release(self) -> None:
        """Give back memory that tiles took; called after large pictures and when nothing came for a while."""

    def close(self) -> None:
        """Free what it holds; called once, after the last run."""


MAX_SHAPES = 64
"""Shapes of tensors after which memory is given back: onnxruntime's arenas grow with every new one, beyond any need."""


class LocalExecutor:
    """This machine: threads that share one session."""

    def __init__(self, model: Model, slots: int, batch: int = 1) -> None:
        self._model = model
        self._shapes: set[tuple[int, ...]] = set()
        self.slots = slots
        self.batch = batch

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute on the calling thread."""
        result = self._model.run(tensor, cancellation)
        self._shapes.add(tensor.shape)
        if len(self._shapes) > MAX_SHAPES:
            self.release()
        return result

    def release(self) -> None:
        """Shrink the session's memory, and the process's."""
        self._shapes = set()
        self._model.release()
        release_free_memory()

    def close(self) -> None:
        """Nothing: the model is the caller's."""
