"""Arrays of samples to libvips images and back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pyvips

from upconv.runtime.picture import Samples

# Only loaders that libvips' authors consider safe for files from strangers.
pyvips.block_untrusted_set(True)
# Every picture is worked on once: remembered operations would only keep the last ones in memory.
pyvips.cache_set_max(0)


_PART = re.compile(r"^(?:VipsJpeg|vipspng|tiff2vips|heif|webp|source|source input|\w+load_buffer): (?:source input: )?")
_PLAIN_WORDS = {"libpng read error": "its data breaks off or is wrong", "load error": "its data breaks off or is wrong"}


def to_image(samples: Samples) -> Any:
    """(H, W, C) as a libvips image that looks at the same memory."""
    height, width, channels = samples.shape
    deep = samples.dtype == np.uint16
    data = np.ascontiguousarray(samples)
    image = pyvips.Image.new_from_memory(data.data, width, height, channels, "ushort" if deep else "uchar")
    grey = channels < 3
    return image.copy(interpretation=("grey16" if grey else "rgb16") if deep else ("b-w" if grey else "srgb"))


def from_image(image: Any) -> Samples:
    """The pixels of a libvips image of 8 or 16 bits, (H, W, C); this is where it is computed."""
    data: Any = np.frombuffer(image.write_to_memory(), np.uint16 if image.format == "ushort" else np.uint8)
    samples: Samples = data.reshape(image.height, image.width, image.bands)
    return samples


def resize(samples: Samples, width: int, height: int, kernel: str = "lanczos3") -> Samples:
    """(H, W, C) resampled to exactly (height, width, C): `kernel` where it shrinks, cubic interpolation where it grows."""
    image = to_image(samples)
    across, down = min(1, width / image.width), min(1, height / image.height)
    if across < 1 or down < 1:
        image = image.resize(across, vscale=down, kernel=kernel)
    return from_image(enlarged(image, width, height, "bicubic"))


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


def reason(error: pyvips.Error) -> str:
    """What libvips has to say, without the names of its parts."""
    lines = [_PART.sub("", line.strip()) for line in str(error.detail).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("bad seek")] or lines
    return _PLAIN_WORDS.get(telling[0], telling[0])[:200] if telling else "its header makes no sense"
