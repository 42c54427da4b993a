"""Upscaling of a tensor that holds a batch of pictures."""

from __future__ import annotations

from collections import deque
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import Upscaler
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ModelError, first_line
from upconv.runtime.statistics import passes_of
from upconv.runtime.tiled_array import TiledArray
from upconv.runtime.tiling import TilingPlan
from upconv.service.errors import TensorError

AT_ONCE = 64
"""Pictures of a batch that are in the engine's queue at once. The others wait outside, so a batch of any length takes little
memory and leaves room in the queue."""


def upscale_batch(
    batch: NDArray[np.float32], upscaler: Upscaler, cancellation: Cancellation, plan: TilingPlan
) -> NDArray[np.float32]:
    """Return the batch (N, C, H, W) upscaled, (N, C, scale*H, scale*W), by the tiles of `plan` for each picture.

    Raises `Cancelled` at the next node of the graph after a cancellation, and `TensorError` if the model cannot compute a
    picture.
    """
    count, channels, height, width = batch.shape
    result = np.empty((count, channels, plan.scale * height, plan.scale * width), np.float32)
    waiting: deque[Future[None]] = deque()
    with ExitStack() as stack:
        stack.callback(lambda: [future.cancel() for future in waiting])
        for planes, enlarged in zip(batch, result, strict=True):
            cancellation.check()
            if len(waiting) >= AT_ONCE:
                _wait(waiting[0], cancellation)
                waiting.popleft()
            waiting.append(_submitted(TiledArray(planes, plan, enlarged), upscaler, cancellation))
        for future in waiting:
            _wait(future, cancellation)
    return result


def _submitted(picture: TiledArray, upscaler: Upscaler, cancellation: Cancellation) -> Future[None]:
    """Return the future of the last pass of a picture. The passes before it are complete."""
    future: Future[None] | None = None
    for work in passes_of(picture, upscaler.model.contract):
        if future is not None:
            _wait(future, cancellation)
        future = upscaler.engine.submit(work)
    assert future is not None
    return future


def _wait(future: Future[None], cancellation: Cancellation) -> None:
    try:
        with cancellation.calling(future.cancel):
            future.result()
    except CancelledError as error:
        raise Cancelled("the request was cancelled") from error
    except ModelError as error:
        raise TensorError(f"the model cannot compute this tensor: {first_line(error.__cause__ or error)}") from error
