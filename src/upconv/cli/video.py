"""Video by frames on the command line: `upconv upscale - -o - --frames y4m`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upconv.cli.default_names import beside
from upconv.cli.standard_streams import STANDARD, ending_with_the_reader, opened, standard_output
from upconv.runtime.errors import OutputError, ParameterError, UpconvError, machine_error

if TYPE_CHECKING:
    from upconv.runtime import UpscaleOptions, Upscaler
    from upconv.runtime.auto_upscaler import AnyUpscaler
    from upconv.runtime.video import FrameFormat, MatrixName, PartialVideo

_ENCODER_NAMES = {"bt601": "smpte170m", "bt709": "bt709", "bt2020": "bt2020nc"}
"""ffmpeg's names of the matrices."""
_OPTIONS = ("scale", "width", "height", "fitting", "border", "max_pixels", "max_output_pixels")
"""The options of an upscale that apply to frames of video. The others are those of image formats."""


@dataclass(frozen=True)
class VideoTask:
    """One video to upscale."""

    source: Path
    """A file, or `-`."""
    output: str | None
    """A file, or `-`. `None`: `-` if the source is `-`, and a file beside the source otherwise."""
    frames: str
    """The format of the frames, as `--frames` states it."""
    matrix: MatrixName | None = None
    """The matrix of the colours. `None`: the usual one for the size."""
    start_frame: int = 0
    """The number of frames to leave out at the start."""
    resume: bool = False
    """True to continue an earlier part of the result."""
    overwrite: bool = False
    """True to replace an existing result."""

    @property
    def piped(self) -> bool:
        """True if the result goes to standard output."""
        return self.output == STANDARD or (self.output is None and str(self.source) == STANDARD)


@dataclass
class _Progress:
    """The frames that a run has done so far."""

    task: VideoTask
    destination: Path
    model: str
    before: FrameFormat
    after: FrameFormat
    notes: list[str]
    """Properties that the result does not keep, and advice."""
    skipped: int = 0
    """Frames of an earlier part of the result."""
    done: int = 0
    """Frames that this run has written."""
    started: float = field(default_factory=time.perf_counter)

    def line(self) -> str:
        """Return the summary as one line."""
        seconds = time.perf_counter() - self.started
        before, after = (f"{size.width}x{size.height}" for size in (self.before, self.after))
        earlier = f" after {self.skipped} done before" if self.skipped else ""
        count = f"{self.done} frame{'' if self.done == 1 else 's'}"
        rate = f"{seconds:.2f} s ({self.done / seconds:.1f} frames/s)"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{count}{earlier}, {before} to {after} by {self.model} in {rate}{notes}"

    def row(self) -> dict[str, Any]:
        """Return the summary for `--json`."""
        return {
            "input": str(self.task.source),
            "output": str(self.destination),
            "model": self.model,
            "from": [self.before.width, self.before.height],
            "to": [self.after.width, self.after.height],
            "frames": self.done,
            "skipped_frames": self.skipped,
            "matrix": getattr(self.before, "matrix", None),
            "seconds": round(time.perf_counter() - self.started, 3),
            "notes": self.notes,
        }


def upscale_video(
    task: VideoTask, opened_upscaler: Callable[[], AnyUpscaler], options: UpscaleOptions, *, dry_run: bool, as_json: bool
) -> None:
    """Upscale the frames of a stream. Messages go to standard error, and a report as JSON to standard output if that is free.

    Raises `ImageError` if the stream is damaged or ends early, after its whole frames are written, `ParameterError` if the
    options do not fit it, and what the upscaler raises.
    """
    from upconv.cli.dry_run import print_frame_prediction
    from upconv.runtime.upscaler import deviations

    _check_task(task)
    with opened(task.source) as file:
        before = _format(file, task, options.max_pixels)
        with opened_upscaler() as any_upscaler:
            upscaler = any_upscaler.for_size(before.width, before.height, options)
            passes = upscaler.passes(before.width, before.height, options)
            after = before.resized(*passes.output_size)
            destination = _destination(task, options, upscaler.scale)
            notes = [*deviations(passes), *_advice(before, after)]
            progress = _Progress(task, destination, upscaler.name, before, after, notes)
            partial = _partial(progress, upscaler, options)
            if dry_run:
                print_frame_prediction(passes, upscaler, notes, as_json=as_json)
                return
            with ending_with_the_reader(), _summary(progress, as_json=as_json):
                _run(progress, file, partial, upscaler, options)


def one_input(inputs: list[Path]) -> Path:
    """Return the only input. Raises `ParameterError` if there are several."""
    if len(inputs) > 1:
        raise ParameterError(f"--frames of video take one input, not {len(inputs)}; run the command once for each")
    return inputs[0]


def check_options(options: UpscaleOptions, others: dict[str, object]) -> None:
    """Raise `ParameterError` if an option is given that does not apply to video. `others` are those that are no `options`."""
    from upconv.runtime.options import DEFAULTS

    names = [field.name for field in fields(options) if field.name not in _OPTIONS]
    given = [f"--{name}" for name in names if getattr(options, name) != getattr(DEFAULTS, name)]
    given += [name for name, value in others.items() if value is not None]
    if given:
        raise ParameterError(f"{given[0]} does not apply to frames of video; leave it out")


def _check_task(task: VideoTask) -> None:
    """Raise `ParameterError` if the source is missing, is the destination, or if a pipe should be resumed."""
    if str(task.source) != STANDARD and not task.source.is_file():
        raise ParameterError(f"no such file: {task.source}")
    if task.piped:
        if task.resume or task.overwrite:
            raise ParameterError("standard output cannot be resumed or overwritten; give --start-frame, or --output a file")
    elif task.output is not None:
        from upconv.runtime.folders.tasks import would_be_overwritten

        destination = Path(task.output)
        if destination.is_dir() or not destination.parent.is_dir():
            raise ParameterError(f"cannot write a video to {task.output}; expected a file in a folder that exists")
        if task.source.resolve() == destination.resolve():
            raise ParameterError(would_be_overwritten(destination))


def _destination(task: VideoTask, options: UpscaleOptions, native_scale: int) -> Path:
    if task.piped:
        return Path(STANDARD)
    return Path(task.output) if task.output else beside(task.source, options, native_scale, task.source.suffix)


def _partial(progress: _Progress, upscaler: Upscaler, options: UpscaleOptions) -> PartialVideo | None:
    """Return the file that receives the frames; `None` if it is standard output. Raises what `PartialVideo.check` raises."""
    from upconv.runtime.options import DEFAULTS
    from upconv.runtime.video import PartialVideo

    task = progress.task
    if task.piped:
        return None
    size = replace(options, max_pixels=DEFAULTS.max_pixels)  # the limit does not change a result
    identity = f"{upscaler.identity} {size} {task.start_frame} {progress.before}"
    partial = PartialVideo(progress.destination, progress.after, identity)
    partial.check(resume=task.resume, overwrite=task.overwrite)
    return partial


def _run(
    progress: _Progress, file: RawIOBase, partial: PartialVideo | None, upscaler: Upscaler, options: UpscaleOptions
) -> None:
    from upconv.runtime.video import frames, upscaled_frames, write_all

    task, before = progress.task, progress.before
    if partial is None:
        target = standard_output()
        with _writing("standard output"):
            write_all(target, progress.after.header)
    else:
        target, progress.skipped = partial.open(resume=task.resume)
    where = "standard output" if partial is None else str(partial.path)
    with target:
        source = frames(file, before, skip=task.start_frame + progress.skipped)
        results = upscaled_frames(source, before, upscaler, options)
        try:
            for parts in _shown(results):
                with _writing(where):
                    write_all(target, progress.after.marker)
                    for part in parts:
                        write_all(target, part)
                progress.done += 1
        except UpconvError as error:
            raise _resumable(error, progress, partial) from error
        finally:
            results.close()
    if partial is not None:
        partial.finish()


def _shown(results: Iterable[list[memoryview]]) -> Iterator[list[memoryview]]:
    """Yield the frames, and show on a terminal how many there are and how fast they come."""
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    console, started = Console(stderr=True), time.perf_counter()
    columns = TextColumn("{task.completed} frames"), TextColumn("{task.fields[rate]:.1f} frames/s")
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, rate=0.0)
        for number, parts in enumerate(results, 1):
            yield parts
            bar.update(task, completed=number, rate=number / (time.perf_counter() - started))


def _format(file: RawIOBase, task: VideoTask, max_pixels: int) -> FrameFormat:
    from upconv.runtime.video import check_frame_size, parse_raw, read_header

    if task.frames != "y4m":
        if task.matrix is not None:
            raise ParameterError("--matrix applies to y4m; raw frames of R, G and B need none")
        found: FrameFormat = parse_raw(task.frames)
    else:
        found = read_header(file, task.matrix)
    check_frame_size(found, max_pixels)
    return found


def _resumable(error: UpconvError, progress: _Progress, partial: PartialVideo | None) -> UpconvError:
    """Return the error with the way to continue."""
    if partial is None:
        return error
    whole = progress.skipped + progress.done
    return type(error)(f"{error}; {partial.path} holds the {whole} frames that are done, and --resume continues them")


def _advice(before: FrameFormat, after: FrameFormat) -> Iterator[str]:
    """Yield what the encoder must be told: a player guesses the matrix from the new size."""
    from upconv.runtime.video import Y4mFormat, usual_matrix

    if isinstance(before, Y4mFormat) and before.matrix != usual_matrix(after.height):
        name = _ENCODER_NAMES[before.matrix]
        yield f"the colours stay {before.matrix}, so tell the encoder, for example ffmpeg with -colorspace {name}"


@contextmanager
def _summary(progress: _Progress, *, as_json: bool) -> Iterator[None]:
    """Print a summary at the end, also after an error or an interruption; nothing if the reader is gone."""
    try:
        yield
    except BrokenPipeError:
        raise
    except BaseException:
        _print(progress, as_json=as_json)
        raise
    _print(progress, as_json=as_json)


def _print(progress: _Progress, *, as_json: bool) -> None:
    file = sys.stderr if progress.task.piped or not as_json else sys.stdout
    print(json.dumps(progress.row()) if as_json else progress.line(), file=file, flush=True)


@contextmanager
def _writing(where: str) -> Iterator[None]:
    """Raise `OutputError` or `MachineError` if a result cannot be written, except if its reader has closed it."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        failure = f"cannot write {where}"
        raise machine_error(error, failure) or OutputError(f"{failure}: {error.strerror}") from error
