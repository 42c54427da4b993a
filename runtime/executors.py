"""Executors: the interface between the engine and the machine that computes its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.memory import release_free_memory
from upconv.runtime.pass_sessions import ModelPass
from upconv.runtime.session import Model, Tensor


class Executor(Protocol):
    """A place that computes batches of tiles.

    The engine calls `start` once, and then `run` from `slots` threads at the same time.
    """

    @property
    def name(self) -> str:
        """The name of the place, which stands for the provider of the model. Empty for this machine."""

    @property
    def tile_px(self) -> int | None:
        """The side of a tile in input pixels that suits the place. `None` if it is measured on this machine."""

    @property
    def lost(self) -> bool:
        """True if the place cannot compute tiles at the moment."""

    def start(self, model: Model) -> None:
        """Get ready to compute tiles of `model`. Raises `UpconvError` or a subclass if the place cannot do so."""

    @property
    def slots(self) -> int:
        """The number of batches that are computed at the same time."""

    @property
    def batch(self) -> int:
        """The largest number of tiles in a batch."""

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a batch of tiles of one shape: (N, C, h, w) in, (N, C, scale*h, scale*w) out. The caller may overwrite these.

        Raises `Cancelled` soon after `cancellation` is cancelled, `OutOfMemoryError` if a smaller tensor may succeed, and
        `ModelError` otherwise.
        """

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        """Compute one pass of one tile, (1, C, h, w), of a model with statistics: the feature maps of a level, or the output.

        Raises what `run` raises.
        """

    def release(self) -> None:
        """Release the memory that tiles took. The engine calls it after large pictures and when it is idle."""

    def close(self) -> None:
        """Release all resources. The engine calls it once, after the last run."""


MAX_SHAPES = 64
"""The number of different tensor shapes after which memory is released: onnxruntime's arenas grow with every new shape."""


class LocalExecutor:
    """An executor that runs tiles on this machine, in threads that share one session."""

    name = ""
    tile_px = None
    lost = False

    def __init__(self, model: Model, slots: int, batch: int = 1) -> None:
        """Use `model`, which the caller keeps and closes."""
        self._model = model
        self._shapes: set[tuple[int, ...]] = set()
        self.slots = slots
        self.batch = batch

    def start(self, model: Model) -> None:
        """Do nothing: the model is open."""

    def run(self, tensor: Tensor, cancellation: Cancellation) -> Tensor:
        """Compute a batch on the calling thread."""
        result = self._model.run(tensor, cancellation)
        self._count(tensor)
        return result

    def run_pass(self, tensor: Tensor, part: ModelPass, cancellation: Cancellation) -> Sequence[Tensor]:
        """Compute one pass of a tile on the calling thread."""
        results = self._model.run_pass(tensor, part, cancellation)
        self._count(tensor)
        return results

    def _count(self, tensor: Tensor) -> None:
        self._shapes.add(tensor.shape)
        if len(self._shapes) > MAX_SHAPES:
            self.release()

    def release(self) -> None:
        """Release the free memory of the session and of the process."""
        self._shapes = set()
        self._model.release()
        release_free_memory()

    def close(self) -> None:
        """Do nothing: the caller owns the model."""
