"""Conversion between `Picture` and other types of pictures: paths, numpy arrays and PIL images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upconv.runtime import codecs
from upconv.runtime.errors import ParameterError
from upconv.runtime.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_UNCONVERTED = ("L", "LA", "RGB", "RGBA")
_CONVERTED = {"1": "L", "La": "LA", "PA": "RGBA", "RGBa": "RGBA", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "LAB": "RGB"}
_KEPT = ("icc_profile", "exif")


def to_picture(source: Any) -> Picture:
    """Return `source` as a `Picture`.

    `source` is a path, a `Picture`, an array (H, W, C) or (H, W) of uint8 or uint16, or a PIL image.

    Raises `ImageError` if the file is not a picture, and `ParameterError` if the array's shape or type, the PIL image's
    mode or the type of `source` is not supported.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, str | Path):
        return codecs.read(Path(source))
    if isinstance(source, np.ndarray):
        return Picture(source[..., None] if source.ndim == 2 else source)
    if _is_pil(source):
        pixels: Any = np.asarray(_plain(source))
        return Picture(pixels[..., None] if pixels.ndim == 2 else pixels)
    raise ParameterError(f"expected a path, bytes, a numpy array or a PIL image, not {type(source).__name__}")


def convert_like(source: Any, picture: Picture) -> Any:
    """Return `picture` as the type of `source`: an array or a PIL image, and otherwise a `Picture`."""
    if isinstance(source, np.ndarray):
        return picture.samples if source.ndim == 3 else picture.samples[..., 0]
    return _pil(picture, source) if _is_pil(source) else picture


def _is_pil(source: Any) -> bool:
    """Return whether `source` is a PIL image, without importing PIL."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(source, module.Image)


def _plain(source: Image) -> Image:
    if source.mode in _UNCONVERTED or source.mode.startswith("I;16"):
        return source
    if source.mode == "P":
        return source.convert("RGBA" if "transparency" in source.info else "RGB")
    if source.mode not in _CONVERTED:
        raise ParameterError(f"a PIL image of mode {source.mode} cannot be upscaled; convert it to RGB, RGBA, L or I;16 first")
    return source.convert(_CONVERTED[source.mode])


def _pil(picture: Picture, source: Image) -> Image:
    from PIL import Image

    samples = np.asarray(picture.samples)
    result = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if source.mode == result.mode or source.mode == "P":  # a profile is valid only in the colour space it was made for
        result.info.update({key: source.info[key] for key in _KEPT if key in source.info})
    return result
