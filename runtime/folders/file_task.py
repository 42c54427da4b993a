"""One picture's way from file to file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from upconv.runtime import codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs.files import output_error
from upconv.runtime.codecs.formats import SUFFIXES
from upconv.runtime.errors import Cancelled, DiskFullError, UpconvError, first_line
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.processing import process
from upconv.runtime.upscaler import Upscaler

Status = Literal["done", "skipped", "failed", "left"]
Size = tuple[int, ...]


@dataclass(frozen=True)
class FileResult:
    """What became of a picture."""

    job: FileTask
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


def process_file(job: FileTask, upscaler: Upscaler, options: UpscaleOptions, cancellation: Cancellation) -> FileResult:
    """Read, enlarge and write; whatever is wrong with the picture or its place is in the outcome.

    Raises `Cancelled` soon after `cancellation` is said.
    """
    started = time.perf_counter()
    try:
        outcome = _carry_out(job, upscaler, options, cancellation)
    except Cancelled:
        raise
    except UpconvError as error:
        return FileResult(job, "failed", error=_naming(job, str(error)), fatal=isinstance(error, DiskFullError))
    except Exception as error:  # memory that ran out, or a mistake of ours: it ends this picture and not the rest
        return FileResult(job, "failed", error=f"{job.source} cannot be enlarged: {first_line(error)}")
    return replace(outcome, seconds=time.perf_counter() - started)


def _carry_out(job: FileTask, upscaler: Upscaler, options: UpscaleOptions, cancellation: Cancellation) -> FileResult:
    name = codecs.format_of(job.destination, (*codecs.WRITABLE, *codecs.ANIMATED))
    data = codecs.read_bytes(job.source, options.max_pixels)
    result = process(data, upscaler, replace(options, format=name), cancellation=cancellation)
    cancellation.check()
    _place(job.destination, result.data)
    conversions = (*_misnamed(job.source, codecs.sniff(data), name), *result.conversions)
    return FileResult(job, "done", result.input_size, result.output_size, conversions=conversions)


def _naming(job: FileTask, sentence: str) -> str:
    named = any(str(path) in sentence for path in (job.source, job.destination))
    return sentence if named else f"{job.source}: {sentence}"


def _place(destination: Path, data: bytes) -> None:
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(destination, error) from error
    codecs.write_atomically(destination, data)


def _misnamed(source: Path, found: str | None, name: str) -> tuple[str, ...]:
    """A phrase where a file's name, and so that of the result, says something else than its bytes."""
    wrong = found != name == SUFFIXES.get(source.suffix.lower())
    return (f"{found} became {name}, as the file is called {source.suffix}",) if wrong else ()
