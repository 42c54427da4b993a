"""Samples to libvips images and back, and what is done with them in between; large pictures stream through."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyvips

from upconv.runtime.canvas import SPOOL_BYTES
from upconv.runtime.picture import Samples
from upconv.runtime.spool import Spool, spool_of


def to_image(samples: Samples) -> Any:
    """The samples as a libvips image: 8 or 16 bits, grey or RGB. Spooled ones can be read from top to bottom only."""
    spool = spool_of(samples)
    if spool is not None:
        image = spool.image()
    else:
        height, width, channels = samples.shape
        kind = "ushort" if samples.dtype == np.uint16 else "uchar"
        image = pyvips.Image.new_from_memory(np.ascontiguousarray(samples).data, width, height, channels, kind)
    grey, deep = samples.shape[2] < 3, samples.dtype == np.uint16
    return image.copy(interpretation=("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb"))


def to_samples(image: Any) -> Samples:
    """The pixels of a libvips image of 8 or 16 bits, (H, W, C); on disk where they are many. Raises `pyvips.Error`."""
    kind = np.uint16 if image.format == "ushort" else np.uint8
    shape = image.height, image.width, image.bands
    if int(np.prod(shape)) * np.dtype(kind).itemsize > SPOOL_BYTES:
        spool = Spool(shape, kind)
        spool.fill(image)
        return spool.samples()
    samples: Samples = np.frombuffer(image.write_to_memory(), kind).reshape(shape)
    return samples


def resize(samples: Samples, width: int, height: int, kernel: str = "lanczos3", channels: int | None = None) -> Samples:
    """The first channels of (H, W, C), all where no number is given, resampled to exactly (height, width)."""
    image = to_image(samples)
    if channels is not None and channels < samples.shape[2]:
        image = image.extract_band(0, n=channels)
    return to_samples(_resized(image, width, height, kernel))


def with_alpha_of(color: Samples, samples: Samples) -> Samples:
    """(H, W, 1 or 3) and the last channel of `samples`, resampled to H and W, as one."""
    alpha = to_image(samples).extract_band(samples.shape[2] - 1)
    return to_samples(to_image(color).bandjoin(_resized(alpha, color.shape[1], color.shape[0], "cubic")))


def _resized(image: Any, width: int, height: int, kernel: str) -> Any:
    resized = image.resize(width / image.width, vscale=height / image.height, kernel=kernel)
    if (resized.width, resized.height) == (width, height):
        return resized
    return resized.embed(0, 0, width, height, extend="copy")  # resize() rounds its own way
