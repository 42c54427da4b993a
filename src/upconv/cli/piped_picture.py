"""A single picture from standard input, to standard output, or both."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from upconv.cli.folder_options import format_of_result
from upconv.cli.standard_streams import STANDARD, ending_with_the_reader, opened, standard_output
from upconv.runtime.errors import ImageError, ImageTooLargeError, OutputError, ParameterError, machine_error

if TYPE_CHECKING:
    from upconv.runtime import UpscaleOptions
    from upconv.runtime.auto_upscaler import AnyUpscaler
    from upconv.runtime.options import ImageFormat

_BYTES_A_PIXEL, _BYTES_BESIDE = 16, 1 << 26
"""Largest size of a pixel in a file, and of profiles and metadata, in bytes."""


def is_piped(inputs: list[Path], output: str | None) -> bool:
    """Return true if an input or the output is `-`. Raises `ParameterError` if it is one among several."""
    names = [str(path) for path in inputs]
    if STANDARD not in names and output != STANDARD:
        return False
    if len(inputs) > 1 or inputs[0].is_dir() or Path(output or STANDARD).is_dir():
        raise ParameterError("- is a single picture; give one input that is no folder, and an output that is no folder")
    return True


def check_piped(*, dry_run: bool, compare: Path | None, json_lines: bool = False) -> None:
    """Raise `ParameterError` if an option is given that needs files."""
    wanted = {"--dry-run": dry_run, "--compare": compare is not None, "--jsonl": json_lines}
    for name in (name for name, given in wanted.items() if given):
        raise ParameterError(f"{name} needs files; give it without -")


def upscale_piped(
    source: Path,
    output: str | None,
    format: str | None,
    opened_upscaler: Callable[[], AnyUpscaler],
    options: UpscaleOptions,
    *,
    as_json: bool,
) -> None:
    """Upscale one picture from a file or `-` to a file or `-`, which is the default. Messages go to standard error.

    Raises `ImageError` if the picture is damaged or of a format that is not read, and `OutputError` if the result cannot be written.
    """
    from upconv.cli.progress import outcome_line, outcome_row
    from upconv.runtime.folders import FileResult, FileTask
    from upconv.runtime.processing import process

    destination = Path(output or STANDARD)
    options = replace(options, format=_format(destination, format, frames=options.frames))
    data = _read(source, options.max_pixels)
    started = time.perf_counter()
    with opened_upscaler() as upscaler:
        model = upscaler.name
        result = process(data, upscaler, options)
    _write(destination, result.data)
    seconds, sizes = time.perf_counter() - started, (result.input_size, result.output_size)
    outcome = FileResult(FileTask(source, destination), "done", *sizes, seconds, result.conversions, choice=result.choice)
    text = json.dumps([outcome_row(outcome, model)], indent=2) if as_json else outcome_line(outcome, model)
    free = as_json and str(destination) != STANDARD
    print(text, file=sys.stdout if free else sys.stderr, flush=True)


def _format(destination: Path, format: str | None, *, frames: bool) -> ImageFormat | None:
    """Return the format of the result; `None` if that of the picture decides."""
    if format == "gif" and not frames:
        raise ParameterError("--format gif needs --frames; choose png for a single picture")
    if str(destination) == STANDARD:
        return cast("ImageFormat | None", format)
    return format_of_result(destination, format, frames=frames)


def _write(destination: Path, data: bytes) -> None:
    from upconv.runtime.codecs import write_atomically

    if str(destination) == STANDARD:
        _send(data)
    else:
        write_atomically(destination, data)


def _read(source: Path, max_pixels: int) -> bytes:
    from upconv.runtime.codecs import read_bytes, sniff, unread

    if str(source) != STANDARD:
        return read_bytes(source, max_pixels)
    limit, data = _BYTES_A_PIXEL * max_pixels + _BYTES_BESIDE, bytearray()
    with opened(source) as file:
        while chunk := file.read(1 << 20):
            data += chunk
            if data.startswith(b"YUV4MPEG2 "):
                raise ImageError("standard input is a video (YUV4MPEG2); give --frames y4m")
            if len(data) > limit:
                raise ImageTooLargeError(f"standard input has more than {limit} bytes, the most that are allowed")
    if sniff(bytes(data[:64])) is None:
        raise ImageError(f"standard input: {unread(bytes(data[:64]))}")
    return bytes(data)


def _send(data: bytes) -> None:
    from upconv.runtime.video import write_all

    with ending_with_the_reader(), standard_output() as file:
        try:
            write_all(file, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = "cannot write standard output"
            raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error
