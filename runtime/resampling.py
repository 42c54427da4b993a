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
    """(H, W, C) resampled to exactly (height, width): `kernel` where it shrinks, cubic interpolation where it grows.

    Only the first `channels` are taken where a number is given.
    """
    image = to_image(samples)
    if channels is not None and channels < samples.shape[2]:
        image = image.extract_band(0, n=channels)
    across, down = min(1, width / image.width), min(1, height / image.height)
    if across < 1 or down < 1:
        image = image.resize(across, vscale=down, kernel=kernel)
    return to_samples(enlarged(image, width, height, "bicubic"))


def enlarged(image: Any, width: int, height: int, interpolator: str) -> Any:
    """The image interpolated to a size, pixels' centres staying in place (as Pillow, and a model's output, have them).

    libvips' own `resize` shifts what it enlarges by half an output pixel.
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


def joined(color: Samples, alpha: Samples) -> Samples:
    """(H, W, 1 or 3) and (H, W, 1) as one."""
    return to_samples(to_image(color).bandjoin(to_image(alpha)))
