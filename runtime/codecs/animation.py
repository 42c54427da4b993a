"""Every frame of an animation, and the way back to a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pyvips

from upconv.runtime.codecs import decoding, headers, metadata
from upconv.runtime.codecs.encoding import check_options, check_size, fitted
from upconv.runtime.codecs.failures import reason
from upconv.runtime.codecs.formats import ANIMATED, MAX_PIXELS
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.picture import Picture

_GIF_END = b";"


@dataclass(frozen=True)
class Animation:
    """Frames of one size, and how long each is shown."""

    frames: tuple[Picture, ...]
    """At least one. What the file says beside its pixels stands in the first."""
    delays_ms: tuple[int, ...]
    """As many as there are frames."""
    loops: int = 0
    """How often it is played; 0 is for ever."""

    def map(self, change: Callable[[Picture], Picture]) -> Animation:
        """The same with every frame changed."""
        return replace(self, frames=tuple(change(frame) for frame in self.frames))


def decode_frames(data: bytes, max_pixels: int = MAX_PIXELS) -> Animation:
    """Every frame in a GIF's or WebP's bytes, and of any other format the one picture.

    Raises what `decode` raises; all frames together may have `max_pixels`.
    """
    name = headers.check(data, max_pixels)
    if name not in ANIMATED:
        return Animation((decoding.decode(data, max_pixels),), (0,))
    if name == "gif" and not data.rstrip(b"\0").endswith(_GIF_END):
        # libnsgif takes what frames are whole.
        raise ImageError("the gif data is damaged or incomplete: its end is missing")
    return decoding.reading(data, name, lambda fail_on: _frames(data, name, max_pixels, fail_on))


def encode_frames(animation: Animation, format: str, quality: int = 90, *, lossless: bool = False) -> tuple[bytes, Animation]:
    """The animation as a file's bytes, and the animation noting what the format could not hold.

    Raises `ParameterError` for a format that holds no animation.
    """
    if format not in ANIMATED:
        raise ParameterError(f"cannot write frames as {format!r}; expected one of {', '.join(ANIMATED)}")
    check_options(format, quality, lossless)
    first = animation.frames[0]
    check_size(format, first.width, first.height)
    frames = [fitted(frame, format) for frame in animation.frames]
    image, keep, noted = metadata.onto(pyvips.Image.arrayjoin([image for image, _ in frames], across=1), frames[0][1], format)
    image = image.copy()
    for field, kind, value in _timing(animation, first.height):
        image.set_type(kind, field, value)
    options = {"keep": keep | metadata.KEEP_TIMING, "page_height": first.height}
    try:
        if format == "gif":
            data = image.gifsave_buffer(**options)
        else:
            data = image.webpsave_buffer(Q=quality, lossless=lossless, **options)
    except pyvips.Error as error:
        raise ImageError(f"the frames cannot be written as {format}: {reason(error)}") from error
    head = replace(first, format=format, conversions=noted.conversions)
    return data, replace(animation, frames=(head, *animation.frames[1:]))


def _frames(data: bytes, name: str, max_pixels: int, fail_on: str) -> Animation:
    strip = decoding.opened(data, name, max_pixels, fail_on, n=-1)
    beside, unread = metadata.of(strip, name)
    height = strip.get("page-height") if strip.get_typeof("page-height") else strip.height
    delays = tuple(strip.get("delay")) if strip.get_typeof("delay") else ()
    loops = strip.get("loop") if strip.get_typeof("loop") else 0
    samples, profile, notes = decoding.pixels(strip, upright=False)
    count = samples.shape[0] // height
    beside = replace(beside, icc=profile)
    frames = tuple(Picture(samples[n * height : (n + 1) * height], name, beside, (*notes, *unread)) for n in range(count))
    return Animation(frames, (*delays, *[100] * count)[:count], loops)


def _timing(animation: Animation, height: int) -> list[tuple[str, int, object]]:
    kind = pyvips.GValue
    return [
        ("page-height", kind.gint_type, height),
        ("delay", kind.array_int_type, list(animation.delays_ms)),
        ("loop", kind.gint_type, animation.loops),
    ]
