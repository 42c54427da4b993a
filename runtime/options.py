"""The options of an upscale: the settings that a user can choose for one picture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from upconv.runtime.errors import ParameterError

MAX_SCALE = 16
"""Largest scale per side. Larger results show no more detail."""
MAX_PIXELS = 100_000_000
"""Largest picture that is decoded by default, in pixels."""

Fitting = Literal["stretch", "fit", "fill"]
"""The use of a width and a height that are both given: stretch the picture to them, or keep its aspect ratio and make it the
largest that fits into them, or the smallest that fills them."""
ImageFormat = Literal["jpeg", "png", "webp", "avif", "tiff", "gif"]
"""A format that results are written in."""
MetadataChoice = Literal["keep", "strip"]
"""Keep or remove EXIF, XMP, IPTC and texts."""
ProfileChoice = Literal["keep", "srgb"]
"""Keep the colour profile of the picture, or convert the colours to sRGB."""
BorderChoice = Literal["mirror", "repeat", "wrap", "zero"]
"""The pixels beyond the border of a picture: mirrored at the border pixel, the border pixel repeated, those of the opposite
border, or black and transparent."""

NumberFormat = Literal["fp32", "fp16", "uint8"]
"""The numbers in which tiles are sent to other machines. `uint8` is exact for inputs that were made of 8-bit samples, and for
outputs that become such."""


@dataclass(frozen=True)
class UpscaleOptions:
    """The settings for upscaling one picture.

    Raises `ParameterError` if a value is not allowed by itself, or if a scale is combined with a width or a height.
    """

    scale: float | None = None
    """Scale per side, a number from 1 to `MAX_SCALE`. `None`: as `width` and `height` require, or the model's own."""
    width: int | None = None
    """Width of the result in pixels, at least 1. If no height is given, the height follows from the aspect ratio."""
    height: int | None = None
    """Height of the result in pixels, at least 1. If no width is given, the width follows from the aspect ratio."""
    fitting: Fitting = "stretch"
    """`stretch` to a width and a height, or keep the aspect ratio and `fit` into them or `fill` them. Nothing is cut off."""
    format: ImageFormat | None = None
    """Format of the result. `None`: the format of the picture, or PNG if that format is not written."""
    quality: int = 90
    """Quality of JPEG, WebP and AVIF, from 1 to 100. Other formats and lossless results ignore it."""
    lossless: bool = False
    """True to write WebP and AVIF without loss. PNG and TIFF are always lossless; JPEG and GIF raise `ParameterError`."""
    colors: Literal[2, 4, 16, 256] | None = None
    """Largest number of colours of a PNG file, which then has a palette, or levels of grey. `None`: no limit. Other formats
    raise `ParameterError`."""
    metadata: MetadataChoice = "keep"
    """`keep` or `strip` EXIF, XMP, IPTC and texts. The colour profile and the resolution are always kept."""
    profile: ProfileChoice = "keep"
    """`keep` the colours in the profile of the picture, or convert them to `srgb`."""
    border: BorderChoice | None = None
    """The pixels that the model sees beyond the border of the picture, as far as its halo reaches. `wrap` makes textures that
    continue at the opposite border. `None`: none, so that the model treats the border as it was trained to. A model without a
    finite halo raises `ParameterError`."""
    frames: bool = False
    """True to upscale every frame of an animation, if the result is GIF or WebP. False takes the first frame."""
    max_pixels: int = MAX_PIXELS
    """Largest picture to decode, in pixels, all frames together. A larger one raises `ImageTooLargeError`."""
    max_output_pixels: int | None = None
    """Largest output of a pass and largest result, in pixels per frame. A larger one raises `ImageTooLargeError`.
    `None`: no limit."""

    def __post_init__(self) -> None:
        if self.scale is not None and (self.width is not None or self.height is not None):
            raise ParameterError("give either a scale or a width and height, not both")
        if self.scale is not None and not (math.isfinite(self.scale) and 1 <= self.scale <= MAX_SCALE):
            raise ParameterError(f"scale must be a number from 1 to {MAX_SCALE}, not {self.scale:g}")
        for name in ("width", "height", "max_pixels", "max_output_pixels"):
            _check_positive(name, getattr(self, name))
        _check_choice("fitting", self.fitting, get_args(Fitting))
        if self.fitting != "stretch" and (self.width is None or self.height is None):
            raise ParameterError(f"to {self.fitting} a picture, give both a width and a height")
        _check_choice("format", self.format, (None, *get_args(ImageFormat)))
        _check_choice("metadata", self.metadata, get_args(MetadataChoice))
        _check_choice("profile", self.profile, get_args(ProfileChoice))
        if self.colors not in (None, 2, 4, 16, 256):
            raise ParameterError(f"colors must be one of 2, 4, 16, 256, not {self.colors!r}")
        _check_choice("border", self.border, (None, *get_args(BorderChoice)))
        check_quality(self.quality)

    def output_size(self, width: int, height: int, native_scale: int) -> tuple[int, int]:
        """Return the width and height of the result in pixels, for a picture of `width` x `height` pixels.

        `native_scale` is the model's own scale. A model of scale 1 restores a picture at its own size and makes no other.
        Raises `ParameterError` if another size is asked of such a model, or if the result would be smaller than the
        picture or more than `MAX_SCALE` times as large per side.
        """
        across, down = self._output_size(width, height, native_scale)
        if native_scale == 1 and (across, down) != (width, height):
            raise ParameterError(
                f"{width}x{height} cannot become {across}x{down} with a model of scale 1, which keeps the size of a picture; "
                "leave out scale, width and height, or choose a model that enlarges"
            )
        if across < width or down < height or max(across / width, down / height) > MAX_SCALE:
            raise ParameterError(
                f"{width}x{height} cannot become {across}x{down}; expected 1 to {MAX_SCALE} times as large per side"
            )
        return across, down

    def _output_size(self, width: int, height: int, native_scale: int) -> tuple[int, int]:
        if self.width is not None and self.height is not None:
            return self._box_size(width, height, self.width, self.height)
        if self.width is not None:
            return self.width, max(1, round(height * self.width / width))
        if self.height is not None:
            return max(1, round(width * self.height / height)), self.height
        scale = native_scale if self.scale is None else self.scale
        return round(width * scale), round(height * scale)

    def _box_size(self, width: int, height: int, across: int, down: int) -> tuple[int, int]:
        if self.fitting == "stretch":
            return across, down
        as_wide = across, max(1, round(height * across / width))
        as_high = max(1, round(width * down / height)), down
        # Compared as integers, so that the side that decides is exact.
        return as_wide if (across * height <= down * width) == (self.fitting == "fit") else as_high


def check_quality(quality: int) -> None:
    """Raise `ParameterError` if `quality` is not between 1 and 100."""
    if not 1 <= quality <= 100:
        raise ParameterError(f"quality must be between 1 and 100, not {quality}")


def _check_positive(name: str, value: int | None) -> None:
    if value is not None and value < 1:
        raise ParameterError(f"{name} must be at least 1 pixel, not {value}")


def _check_choice(name: str, value: str | None, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(filter(None, choices))}, not {value!r}")


DEFAULTS = UpscaleOptions()
"""The default options: the model's own scale and the format of the picture, with metadata and profile kept."""
