"""Who computes tiles: the seam between the engine's turns and the machines that do the work."""

from __future__ import annotations

from typing import Protocol

from upconv.runtime.session import Model, Tensor
from upconv.runtime.stop import Stop


class Executor(Protocol):
    """Computes batches of equal tiles; called from as many threads at once as it has slots."""

    @property
    def slots(self) -> int:
        """Batches that are worth computing at once."""

    @property
    def batch(self) -> int:
        """Largest number of tiles in a batch."""

    def run(self, tensor: Tensor, stop: Stop) -> Tensor:
        """(N, C, h, w) in, (N, C, scale*h, scale*w) out; gives up with `Cancelled` soon after `stop` is said.

        Raises `OutOfMemoryError` where a smaller tensor could succeed, and `ModelError` otherwise.
        """

    def release(self) -> None:
        """Give back memory that a large picture's tiles took; called when the last of them is done."""

    def close(self) -> None:
        """Free what it holds; called once, after the last run."""


class LocalExecutor:
    """This machine: threads that share one session."""

    def __init__(self, model: Model, slots: int, batch: int = 1) -> None:
        self._model = model
        self.slots = slots
        self.batch = batch

    def run(self, tensor: Tensor, stop: Stop) -> Tensor:
        """Compute on the calling thread."""
        return self._model.run(tensor, stop)

    def release(self) -> None:
        """Shrink the session's memory."""
        self._model.release()

    def close(self) -> None:
        """Nothing: the model is the caller's."""
