"""Resampling of pictures with libvips, and the conversion of samples to libvips images and back.

Large pictures are streamed from disk to disk, so they are never in memory as a whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.canvas import SPOOL_BYTES
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import Samples
from upconv.runtime.spool import Spool, spool_of

QUICK_PX = 1 << 14
"""Most pixels of a small image, which takes less than 10 ms."""


def to_image(samples: Samples) -> Any:
    """Return samples (H, W, C) as a libvips image of 8 or 16 bits, grey or RGB.

    The image of spooled samples can be read only once, from top to bottom.
    """
    spool = spool_of(samples)
    if spool is not None:
        image = spool.image()
    else:
        height, width, channels = samples.shape
        kind = "ushort" if samples.dtype == np.uint16 else "uchar"
        image = pyvips.Image.new_from_memory(np.ascontiguousarray(samples).data, width, height, channels, kind)
    grey, deep = samples.shape[2] < 3, samples.dtype == np.uint16
    return image.copy(interpretation=("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb"))


@contextmanager
def stoppable(image: Any, cancellation: Cancellation | None) -> Iterator[tuple[Any, Cancellation]]:
    """Provide a libvips image, and the cancellation that ends its computation at the next rows.

    An image of at most `QUICK_PX` is computed to its end. The block raises `Cancelled` instead of `pyvips.Error` if the cancellation is the cause.
    """
    cancellation = cancellation or Cancellation()
    if image.width * image.height <= QUICK_PX:
        cancellation.check()
        yield image, cancellation
        return
    image = image.copy()
    with cancellation.calling(lambda: image.set_kill(True)):
        try:
            yield image, cancellation
        except pyvips.Error:
            cancellation.check()
            raise


def to_samples(image: Any, cancellation: Cancellation | None = None) -> Samples:
    """Return the samples (H, W, C) of a libvips image of 8 or 16 bits; large ones are spooled to disk.

    Raises `Cancelled` at the next rows after a cancellation, `pyvips.Error` if libvips cannot compute the image, and
    `DiskFullError` if the disk has no room.
    """
    with stoppable(image, cancellation) as (stopped, _):
        return _computed(stopped)


def _computed(image: Any) -> Samples:
    kind = np.uint16 if image.format == "ushort" else np.uint8
    shape = height, width, _ = image.height, image.width, image.bands
    if math.prod(shape) * np.dtype(kind).itemsize > SPOOL_BYTES:
        spool = Spool(shape, kind)
        spool.fill(image)
        return spool.samples()
    quick = width * height <= QUICK_PX  # a region starts no threads
    data = pyvips.Region.new(image).fetch(0, 0, width, height) if quick else image.write_to_memory()
    samples: Samples = np.frombuffer(data, kind).reshape(shape)
    return samples


def resize(
    samples: Samples,
    width: int,
    height: int,
    kernel: str = "lanczos3",
    channels: int | None = None,
    cancellation: Cancellation | None = None,
) -> Samples:
    """Return samples (H, W, C) resampled to exactly `width` x `height`.

    An axis that shrinks is filtered with `kernel`, an axis that grows is interpolated cubically. `channels` takes only
    the first channels; `None` takes all. Raises what `to_samples` raises.
    """
    image = to_image(samples)
    if channels is not None and channels < samples.shape[2]:
        image = image.extract_band(0, n=channels)
    across, down = min(1, width / image.width), min(1, height / image.height)
    if across < 1 or down < 1:
        image = image.resize(across, vscale=down, kernel=kernel)
    return to_samples(enlarged(image, width, height, "bicubic"), cancellation)


def enlarged(image: Any, width: int, height: int, interpolator: str) -> Any:
    """Return the libvips image interpolated to `width` x `height`, aligned by pixel centres.

    Pillow and the models align pixels in the same way. libvips' `resize` shifts a growing image by half an output pixel.
    """
    if (image.width, image.height) == (width, height):
        return image
    return image.affine(
        [width / image.width, 0, 0, height / image.height],
        interpolate=pyvips.Interpolate.new(interpolator),
        oarea=[0, 0, width, height],
        idx=0.5,
        idy=0.5,
        odx=-0.5,
        ody=-0.5,
        extend="copy",
    )


def joined(color: Samples, alpha: Samples, cancellation: Cancellation | None = None) -> Samples:
    """Return colour (H, W, 1 or 3) and opacity (H, W, 1) as one array (H, W, 2 or 4). Raises what `to_samples` raises."""
    return to_samples(to_image(color).bandjoin(to_image(alpha)), cancellation)
