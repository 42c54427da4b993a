"""Executors: the interface between the engine and the machine that computes its tiles."""

from __future__ import annotations

from typing import Protocol

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.memory import release_free_memory
from upconv.runtime.session import Model, Tensor


class Executor(Protocol):
    """A place that computes batches of tiles.

    The engine calls `run` from `slots` threads at the same time.
    """

    @property
    def slots(self) -> int:
        """The number of batches that are computed at the same time."""

    @property
    def batch(self) -> int:
        """The largest number of tiles in a batch."""

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a batch of tiles of one shape: (N, C, h, w) in, (N, C, scale*h, scale*w) out.

        Raises `Cancelled` soon after `cancellation` is cancelled, `OutOfMemoryError` if a smaller tensor may succeed, and
        `ModelError` otherwise.
        """

    def release(self) -> None:
        """Release the memory that tiles took. The engine calls it after large pictures and when it is idle."""

    def close(self) -> None:
        """Release all resources. The engine calls it once, after the last run."""


MAX_SHAPES = 64
"""The number of different tensor shapes after which memory is released: onnxruntime's arenas grow with every new shape."""


class LocalExecutor:
    """An executor that runs tiles on this machine, in threads that share one session."""

    def __init__(self, model: Model, slots: int, batch: int = 1) -> None:
        """Use `model`, which the caller keeps and closes."""
        self._model = model
        self._shapes: set[tuple[int, ...]] = set()
        self.slots = slots
        self.batch = batch

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a batch on the calling thread."""
        result = self._model.run(tensor, cancellation)
        self._shapes.add(tensor.shape)
        if len(self._shapes) > MAX_SHAPES:
            self.release()
        return result

    def release(self) -> None:
        """Release the free memory of the session and of the process."""
        self._shapes = set()
        self._model.release()
        release_free_memory()

    def close(self) -> None:
        """Do nothing: the caller owns the model."""
