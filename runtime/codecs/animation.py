"""Every frame of an animation, and the way back to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import pyvips

from upconv.runtime.canvas import new_canvas
from upconv.runtime.codecs import decoding, image_header, metadata
from upconv.runtime.codecs.encoding import check_options, check_size, fitted
from upconv.runtime.codecs.failures import reason
from upconv.runtime.codecs.formats import ANIMATED
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.options import MAX_PIXELS
from upconv.runtime.picture import Picture

_GIF_END = b";"


@dataclass(frozen=True)
class Animation:
    """Frames of one size, and how long each is shown."""

    strip: Picture
    """All frames, one below the other; on disk where they are many."""
    delays_ms: tuple[int, ...]
    """One for each frame, of which there is at least one."""
    loops: int = 0
    """How often it is played; 0 is for ever."""

    @classmethod
    def of(cls, frames: Iterable[Picture], delays_ms: tuple[int, ...], loops: int = 0) -> Animation:
        """Of as many frames as there are delays, taken one by one; what a file says beside its pixels is the first's."""
        return cls(_strip(iter(frames), len(delays_ms)), delays_ms, loops)

    @property
    def frames(self) -> tuple[Picture, ...]:
        """Each frame."""
        return tuple(self._frames())

    @property
    def frame_height(self) -> int:
        """Rows of a frame."""
        return self.strip.height // len(self.delays_ms)

    def map(self, change: Callable[[Picture], Picture]) -> Animation:
        """The same with every frame changed."""
        return Animation.of(map(change, self._frames()), self.delays_ms, self.loops)

    def noting(self, *conversions: str) -> Animation:
        """The same animation, with more conversions."""
        return replace(self, strip=self.strip.noting(*conversions))

    def _frames(self) -> Iterator[Picture]:
        height = self.frame_height
        for number in range(len(self.delays_ms)):
            yield self.strip.with_samples(self.strip.samples[number * height : (number + 1) * height])


def decode_frames(data: bytes, max_pixels: int = MAX_PIXELS) -> Animation:
    """Every frame in a GIF's or WebP's bytes, and of any other format the one picture.

    Raises what `decode` raises; all frames together may have `max_pixels`.
    """
    name = image_header.check(data, max_pixels)
    if name not in ANIMATED:
        return Animation(decoding.decode(data, max_pixels), (0,))
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
    check_size(format, animation.strip.width, animation.frame_height)
    image, keep, strip = metadata.onto(*fitted(animation.strip, format), format)
    image = image.copy()
    for field, kind, value in _timing(animation):
        image.set_type(kind, field, value)
    options = {"keep": keep | metadata.KEEP_TIMING, "page_height": animation.frame_height}
    try:
        if format == "gif":
            data = image.gifsave_buffer(**options)
        else:
            data = image.webpsave_buffer(Q=quality, lossless=lossless, **options)
    except pyvips.Error as error:
        raise ImageError(f"the frames cannot be written as {format}: {reason(error)}") from error
    return data, replace(animation, strip=replace(animation.strip, format=format, conversions=strip.conversions))


def _frames(data: bytes, name: str, max_pixels: int, fail_on: str) -> Animation:
    strip = decoding.opened(data, name, max_pixels, fail_on, n=-1)
    beside, unread = metadata.of(strip, name)
    height = strip.get("page-height") if strip.get_typeof("page-height") else strip.height
    delays = tuple(strip.get("delay")) if strip.get_typeof("delay") else ()
    loops = strip.get("loop") if strip.get_typeof("loop") else 0
    samples, profile, notes = decoding.pixels(strip, upright=False)
    count = samples.shape[0] // height
    whole = Picture(samples, name, replace(beside, icc=profile), (*notes, *unread))
    return Animation(whole, (*delays, *[100] * count)[:count], loops)


def _strip(frames: Iterator[Picture], count: int) -> Picture:
    first = next(frames)
    if count == 1:
        return first
    height, width, channels = first.samples.shape
    canvas = new_canvas((count * height, width, channels), first.samples.dtype)
    for number, frame in enumerate(chain([first], frames)):
        canvas.write(number * height, 0, frame.samples)
    return first.with_samples(canvas.samples())


def _timing(animation: Animation) -> list[tuple[str, int, object]]:
    kind = pyvips.GValue
    return [
        ("page-height", kind.gint_type, animation.frame_height),
        ("delay", kind.array_int_type, list(animation.delays_ms)),
        ("loop", kind.gint_type, animation.loops),
    ]
