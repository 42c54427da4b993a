"""Upscaling of the frames of a stream, in order: while one is computed, others are read, converted and written.

The number of frames in memory is fixed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Queue

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.contract import Contract
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import Cancelled, converting
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.passes import Passes
from upconv.runtime.upscaler import Upscaler
from upconv.runtime.video.frame_formats import FrameFormat, frame_part
from upconv.runtime.video.tiled_frame import tiled_frame

FrameParts = list[memoryview]
"""The bytes of a frame, in parts."""


def upscaled_frames(
    frames: Iterable[bytes],
    source: FrameFormat,
    upscaler: Upscaler,
    options: UpscaleOptions,
    *,
    in_flight: int | None = None,
) -> Generator[FrameParts, None, None]:
    """Yield each frame upscaled, in the order of `frames`, which a thread of its own reads.

    At most `in_flight` frames are in memory: by default one per core and two more. An error of a frame, or of reading, is raised
    after the frames before it are yielded. Closing the iterator cancels the running frames.

    Raises what `Upscaler.run` raises, `MachineError` if the machine lacks something, and the errors of `frames`.
    """
    passes = upscaler.passes(source.width, source.height, options)
    target, cancellation = source.resized(*passes.output_size), Cancellation()
    canvas = target.canvas() if _is_direct(passes, upscaler.model.contract) else None
    spare = [] if canvas is None else [canvas]

    def upscale(frame: bytes) -> FrameParts:
        with converting("the frame cannot be processed"):
            picture = source.picture(frame)
            if canvas is None:
                return target.frame(upscaler.run(picture, options, cancellation=cancellation))
            own = spare.pop() if spare else target.canvas()
            assert own is not None
            work = tiled_frame(passes.plans[0], picture.samples, upscaler.model.contract, own)
            upscaler.compute(work, cancellation=cancellation)
            planes = own.planes()
            spare.append(own)  # only after success: otherwise a tile may still be written
            return [frame_part(plane) for plane in planes]

    at_once = in_flight or available_cores() + 2
    pool = ThreadPoolExecutor(at_once, "upconv-frame")
    queue = _FrameQueue(at_once)
    # It may wait for the next frame for ever, so it must not hold up the end of the process.
    threading.Thread(target=queue.fill, args=(frames, pool, upscale), name="upconv-frames", daemon=True).start()
    try:
        yield from queue.results()
    finally:
        queue.close()
        cancellation.cancel()
        pool.shutdown(cancel_futures=True)


class _FrameQueue:
    """The frames that are being upscaled, in order."""

    def __init__(self, at_once: int) -> None:
        self._slots = threading.Semaphore(at_once)
        self._futures: Queue[Future[FrameParts] | None] = Queue()
        self._closed = False

    def fill(self, frames: Iterable[bytes], pool: ThreadPoolExecutor, upscale: Callable[[bytes], FrameParts]) -> None:
        """Submit each frame when there is room. An error of reading becomes the last result."""
        try:
            self._slots.acquire()
            for frame in frames:
                if self._closed:
                    return
                self._futures.put(pool.submit(upscale, frame))
                self._slots.acquire()
        except BaseException as error:
            failed: Future[FrameParts] = Future()
            failed.set_exception(Cancelled("the frames were cancelled") if self._closed else error)
            self._futures.put(failed)
        self._futures.put(None)

    def results(self) -> Iterator[FrameParts]:
        """Yield the results in order, and make room after each."""
        while (future := self._futures.get()) is not None:
            yield future.result()
            del future  # otherwise the last frame stays in memory during the next
            self._slots.release()

    def close(self) -> None:
        """Submit no further frame."""
        self._closed = True
        with suppress(ValueError):
            self._slots.release()


def _is_direct(passes: Passes, contract: Contract) -> bool:
    """Return true if one run of the model puts out the colours of the result as they are."""
    if len(passes.plans) != 1 or contract.output is None or contract.output.channels != 3:
        return False
    plan = passes.plans[0]
    return passes.output_size == (plan.width * plan.scale, plan.height * plan.scale)
