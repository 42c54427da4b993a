"""Processing of one picture from file to file."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Literal

from upconv.runtime import codecs
from upconv.runtime.buckets import Place
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs.formats import SUFFIXES
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import Cancelled, DiskFullError, NoEndpointError, UpconvError, first_line
from upconv.runtime.folders import places
from upconv.runtime.folders.result_record import complete
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.model_choice import ModelChoice
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.processing import UpscalerSource, process

Status = Literal["done", "skipped", "failed", "left"]
"""`skipped`: done in an earlier run. `left`: not tried, because an earlier error was fatal."""
Size = tuple[int, ...]
"""Width and height in pixels."""


@dataclass(frozen=True)
class FileResult:
    """The result of processing one file."""

    job: FileTask
    """The file."""
    status: Status
    before: Size | None = None
    """Size of the picture. `None` if there is no result."""
    after: Size | None = None
    """Size of the result. `None` if there is no result."""
    seconds: float = 0
    """Duration of the processing."""
    conversions: tuple[str, ...] = ()
    """Properties of the picture that the result could not keep, as phrases."""
    error: str | None = None
    """The reason why there is no result, as one sentence. `None` if there is one."""
    choice: ModelChoice | None = None
    """The model that was chosen by the content of the picture, and why. `None` if there was no choice or no result."""
    fatal: bool = False
    """True if no other result can be written either, because the disk is full, or because no endpoint
    computes tiles."""


def process_file(
    job: FileTask, upscaler: UpscalerSource, options: UpscaleOptions, cancellation: Cancellation, *, keep_time: bool = False
) -> FileResult:
    """Read, upscale and write one picture. `keep_time` gives the result the modification time of the picture.

    Errors of the picture and of its destination are part of the result. Only `Cancelled` is raised, soon after
    `cancellation` is cancelled.
    """
    started = time.perf_counter()
    try:
        outcome = _carry_out(job, upscaler, options, cancellation, keep_time)
    except Cancelled:
        raise
    except UpconvError as error:
        # A full disk of temporary files concerns large pictures only.
        full = isinstance(error, DiskFullError) and str(job.destination) in str(error)
        fatal = full or isinstance(error, NoEndpointError)
        return FileResult(job, "failed", error=_with_path(job, str(error)), fatal=fatal)
    except Exception as error:  # such as MemoryError or a defect: the other pictures are still processed
        return FileResult(job, "failed", error=f"{job.source} cannot be upscaled: {first_line(error)}")
    return replace(outcome, seconds=time.perf_counter() - started)


def _carry_out(
    job: FileTask, upscaler: UpscalerSource, options: UpscaleOptions, cancellation: Cancellation, keep_time: bool
) -> FileResult:
    name = codecs.format_of(job.destination, (*codecs.WRITABLE, *codecs.ANIMATED))
    modified_ns = places.state(job.source)[1] if keep_time and job.source.is_file() else None
    data = places.read_bytes(job.source, options.max_pixels)
    result = process(data, upscaler, replace(options, format=name), cancellation=cancellation)
    cancellation.check()
    conversions = (*_misnamed(job.source, codecs.sniff(data), name), *result.conversions)
    sizes = result.input_size, result.output_size
    record = complete(job.record, *sizes, conversions, result.choice)
    places.write_whole(job.destination, result.data, codecs.MEDIA_TYPES[name], record=record, modified_ns=modified_ns)
    return FileResult(job, "done", *sizes, conversions=conversions, choice=result.choice)


def _with_path(job: FileTask, sentence: str) -> str:
    named = any(str(path) in sentence for path in (job.source, job.destination))
    return sentence if named else f"{job.source}: {sentence}"


def _misnamed(source: Place, found: str | None, name: str) -> tuple[str, ...]:
    """Return a phrase if the suffix of a file, which its result keeps, does not match its bytes."""
    wrong = found != name == SUFFIXES.get(source.suffix.lower())
    return (Conversion("format of suffix", found=str(found), format=name, suffix=source.suffix),) if wrong else ()
