"""Decoding and encoding of animations: all frames of a GIF or WebP file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.canvas import new_canvas
from upconv.runtime.codecs import decoding, finishing, image_header, metadata
from upconv.runtime.codecs.encoder_process import save
from upconv.runtime.codecs.encoding import check_options, check_size, fitted
from upconv.runtime.codecs.failures import unwritable
from upconv.runtime.codecs.formats import ANIMATED
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.libvips import pyvips
from upconv.runtime.options import MAX_PIXELS
from upconv.runtime.picture import Picture

_GIF_END = b";"


@dataclass(frozen=True)
class Animation:
    """Frames of one size, with their durations. A single picture is an animation of one frame."""

    strip: Picture
    """All frames in one picture, one below the other. Large ones are on disk."""
    delays_ms: tuple[int, ...]
    """Duration of each frame in milliseconds, for at least one frame."""
    loops: int = 0
    """The number of times that the animation plays; 0 is endless."""

    @classmethod
    def of(cls, frames: Iterable[Picture], delays_ms: tuple[int, ...], loops: int = 0) -> Animation:
        """Return the animation of these frames, one per delay, with the metadata of the first frame.

        The frames are consumed one by one, so `frames` may compute them.
        """
        return cls(_strip(iter(frames), len(delays_ms)), delays_ms, loops)

    @property
    def frames(self) -> tuple[Picture, ...]:
        """The frames as pictures."""
        return tuple(self._frames())

    @property
    def frame_height(self) -> int:
        """Height of a frame in pixels."""
        return self.strip.height // len(self.delays_ms)

    def map(self, change: Callable[[Picture], Picture]) -> Animation:
        """Return the animation of the changed frames. `change` must give all frames one size."""
        return Animation.of(map(change, self._frames()), self.delays_ms, self.loops)

    def noting(self, *conversions: Conversion) -> Animation:
        """Return the animation with more conversions."""
        return replace(self, strip=self.strip.noting(*conversions))

    def _frames(self) -> Iterator[Picture]:
        height = self.frame_height
        for number in range(len(self.delays_ms)):
            yield self.strip.with_samples(self.strip.samples[number * height : (number + 1) * height])


def decode_frames(data: bytes, max_pixels: int = MAX_PIXELS, cancellation: Cancellation | None = None) -> Animation:
    """Return all frames of a GIF or WebP file, or the one picture of a file in another format.

    Raises what `decode` raises. `max_pixels` is the limit for all frames together.
    """
    name = image_header.check(data, max_pixels)
    if name not in ANIMATED:
        return Animation(decoding.decode(data, max_pixels, cancellation), (0,))
    if name == "gif" and not data.rstrip(b"\0").endswith(_GIF_END):
        # libnsgif accepts a file that is cut off, and returns its complete frames.
        raise ImageError("the gif data is damaged or incomplete: its end is missing")
    return decoding.reading(data, name, lambda fail_on: _frames(data, name, max_pixels, fail_on, cancellation))


def encode_frames(
    animation: Animation, format: str, quality: int = 90, *, lossless: bool = False, cancellation: Cancellation | None = None
) -> tuple[bytes, Animation]:
    """Return the bytes of a GIF or WebP file, and the animation with the format's conversions.

    Raises `ParameterError` for another format, an option that the format does not support or a size that it cannot hold,
    `Cancelled` soon after a cancellation, and what `unwritable` returns if the encoder fails.
    """
    if format not in ANIMATED:
        raise ParameterError(f"cannot write frames as {format!r}; expected one of {', '.join(ANIMATED)}")
    check_options(format, quality, lossless)
    check_size(format, animation.strip.width, animation.frame_height)
    image, strip = fitted(animation.strip, format, cancellation, lossless=lossless)
    image, keep = metadata.onto(image, strip, format)
    strip = metadata.noted(strip, format)
    image = image.copy()
    for field, kind, value in _timing(animation):
        image.set_type(kind, field, value)
    options = {"keep": keep | metadata.KEEP_TIMING, "page_height": animation.frame_height}
    try:
        if format == "gif":
            data = save(image, "gifsave_buffer", options, cancellation)
        else:
            data = save(image, "webpsave_buffer", {"Q": quality, "lossless": lossless, **options}, cancellation)
    except pyvips.Error as error:
        raise unwritable("the frames", format, error) from error
    data = finishing.finished(data, animation.strip, format, animation.frame_height)
    return data, replace(animation, strip=replace(animation.strip, format=format, conversions=strip.conversions))


def _frames(data: bytes, name: str, max_pixels: int, fail_on: str, cancellation: Cancellation | None) -> Animation:
    strip = decoding.opened(data, name, max_pixels, fail_on, n=-1)
    file_metadata, unread = metadata.of(strip, data, name)
    height = strip.get("page-height") if strip.get_typeof("page-height") else strip.height
    delays = tuple(strip.get("delay")) if strip.get_typeof("delay") else ()
    loops = strip.get("loop") if strip.get_typeof("loop") else 0
    samples, profile, notes = decoding.pixels(strip, cancellation, upright=False)
    count = samples.shape[0] // height
    stated = replace(file_metadata, icc=profile, lossless=name == "webp" and b"VP8L" in data)
    whole = Picture(samples, name, stated, (*notes, *unread))
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
