"""One picture's way from file to file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from upconv.runtime import codecs
from upconv.runtime.codecs.files import output_error
from upconv.runtime.codecs.formats import SUFFIXES
from upconv.runtime.errors import Cancelled, DiskFullError, UpconvError, first_line
from upconv.runtime.folders.jobs import Job
from upconv.runtime.picture import Picture
from upconv.runtime.stop import Stop
from upconv.runtime.upscaler import Target, Upscaler

Status = Literal["done", "skipped", "failed", "left"]
Size = tuple[int, ...]


@dataclass(frozen=True)
class Options:
    """What is to become of every picture."""

    target: Target = Target()
    quality: int = 90
    """For JPEG, WebP and AVIF."""
    lossless: bool = False
    profile: Literal["keep", "srgb"] = "keep"
    """Whether colours stay in the profile they are in."""
    metadata: Literal["keep", "strip"] = "keep"
    """Whether EXIF, XMP and texts go along; the profile and the resolution do in any case."""
    frames: bool = False
    """Whether every frame of an animation is enlarged, where the result's format has frames."""
    max_pixels: int = codecs.MAX_PIXELS
    """Largest picture to decode."""


@dataclass(frozen=True)
class Outcome:
    """What became of a picture."""

    job: Job
    status: Status
    before: Size | None = None
    """Width and height."""
    after: Size | None = None
    seconds: float = 0
    conversions: tuple[str, ...] = ()
    """What could not be kept."""
    error: str | None = None
    """Why there is no result, one sentence."""
    fatal: bool = False
    """Whether no other result could be written either."""


def carry_out(job: Job, upscaler: Upscaler, options: Options, stop: Stop) -> Outcome:
    """Read, enlarge and write; whatever is wrong with the picture or its place is in the outcome.

    Raises `Cancelled` soon after `stop` is said.
    """
    started = time.perf_counter()
    try:
        outcome = _carry_out(job, upscaler, options, stop)
    except Cancelled:
        raise
    except UpconvError as error:
        return Outcome(job, "failed", error=_naming(job, str(error)), fatal=isinstance(error, DiskFullError))
    except Exception as error:  # memory that ran out, or a mistake of ours: it ends this picture and not the rest
        return Outcome(job, "failed", error=f"{job.source} cannot be enlarged: {first_line(error)}")
    return replace(outcome, seconds=time.perf_counter() - started)


def _carry_out(job: Job, upscaler: Upscaler, options: Options, stop: Stop) -> Outcome:
    def enlarged(picture: Picture) -> Picture:
        _go_on(stop)
        return upscaler.run(_prepared(picture, options), options.target, stop=stop)

    name = codecs.format_of(job.destination, (*codecs.WRITABLE, *codecs.ANIMATED))
    animation = _animation(job.source, name, options)
    before = animation.strip.width, animation.frame_height
    after = options.target.size(*before, upscaler.scale)
    codecs.check_size(name, *after)
    data, conversions = _encoded(animation.map(enlarged), name, options)
    _go_on(stop)
    _place(job.destination, data)
    said = _misnamed(job.source, animation.strip.format, name)
    return Outcome(job, "done", before, after, conversions=(*said, *conversions))


def _naming(job: Job, sentence: str) -> str:
    named = any(str(path) in sentence for path in (job.source, job.destination))
    return sentence if named else f"{job.source}: {sentence}"


def _go_on(stop: Stop) -> None:
    if stop.set:
        raise Cancelled("the work was called off")


def _animation(source: Path, name: str, options: Options) -> codecs.Animation:
    """The picture in a file, all its frames where they are asked for and can be written."""
    data = codecs.read_bytes(source, options.max_pixels)
    try:
        if options.frames and name in codecs.ANIMATED:
            return codecs.decode_frames(data, options.max_pixels)
        return codecs.Animation(codecs.decode(data, options.max_pixels), (0,))
    except UpconvError as error:
        raise type(error)(f"{source}: {error}") from error


def _prepared(picture: Picture, options: Options) -> Picture:
    if options.profile == "srgb":
        picture = codecs.to_srgb(picture)
    return replace(picture, metadata=picture.metadata.stripped()) if options.metadata == "strip" else picture


def _encoded(animation: codecs.Animation, name: str, options: Options) -> tuple[bytes, tuple[str, ...]]:
    if len(animation.delays_ms) > 1 or name not in codecs.WRITABLE:
        data, noted = codecs.encode_frames(animation, name, options.quality, lossless=options.lossless)
        return data, noted.strip.conversions
    data, picture = codecs.encode(animation.strip, name, options.quality, lossless=options.lossless)
    return data, picture.conversions


def _place(destination: Path, data: bytes) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(destination, error) from error
    codecs.write_atomically(destination, data)


def _misnamed(source: Path, found: str, name: str) -> tuple[str, ...]:
    """A phrase where a file's name, and so that of the result, says something else than its bytes."""
    wrong = found != name == SUFFIXES.get(source.suffix.lower())
    return (f"{found} became {name}, as the file is called {source.suffix}",) if wrong else ()
