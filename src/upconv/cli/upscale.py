"""The command `upconv upscale`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from upconv.cli.default_names import check_inputs, listing_beside
from upconv.cli.option_types import DryRun, FillBox, FitBox, FramesChoice, MatrixChoice, Resume, StartFrame, box
from upconv.cli.piped_picture import check_piped, is_piped, upscale_piped
from upconv.cli.video import VideoTask, check_options, one_input, upscale_video
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime import Upscaler
    from upconv.runtime.folders import FileResult, FolderListing
    from upconv.runtime.options import UpscaleOptions


class FormatOption(StrEnum):
    """The format of a result."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    AVIF = "avif"
    TIFF = "tiff"
    GIF = "gif"


class ProfileOption(StrEnum):
    """The colour profile of a result: that of the picture, or sRGB."""

    KEEP = "keep"
    SRGB = "srgb"


class MetadataOption(StrEnum):
    """The EXIF, XMP and texts of a picture: kept or removed."""

    KEEP = "keep"
    STRIP = "strip"


def upscale(
    inputs: Annotated[list[Path], typer.Argument(help="Image files, or folders of them; - for standard input.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="A file for one input, a folder, or - for standard output; by default a file beside each input.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="An .onnx file or a catalogue name.")] = None,
    scale: Annotated[
        float | None, typer.Option(help="Output pixels per input pixel, per side; by default the model's.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Width of the result in pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Height of the result in pixels.")] = None,
    fit: FitBox = None,
    fill: FillBox = None,
    format: Annotated[
        FormatOption | None, typer.Option(help="Format of the results in a folder; by default that of each picture.")
    ] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of JPEG, WebP and AVIF.")] = 90,
    lossless: Annotated[bool, typer.Option("--lossless", help="Write WebP and AVIF without loss.")] = False,
    profile: Annotated[ProfileOption, typer.Option(help="Keep the colour profile, or convert to sRGB.")] = ProfileOption.KEEP,
    metadata: Annotated[MetadataOption, typer.Option(help="Keep EXIF, XMP and texts, or remove them.")] = MetadataOption.KEEP,
    frames: FramesChoice = None,
    matrix: MatrixChoice = None,
    start_frame: StartFrame = 0,
    resume: Resume = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of the largest picture to read.")] = 100_000_000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Upscale again what is already done in the folder.")] = False,
    compare: Annotated[Path | None, typer.Option(help="The .html page to write, which shows before and after.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Use the exact halo of the model, even if it is slow.")] = False,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda or openvino.")] = "cpu",
    workers: Annotated[int | None, typer.Option(min=1, help="Worker threads; by default one for each available core.")] = None,
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report as JSON.")] = False,
) -> None:
    """Upscale pictures, without torch. A folder that is partly done is continued."""
    from upconv.cli.before_after import check_page
    from upconv.cli.frames_option import frames_kind
    from upconv.cli.termination import ending_on_sigterm
    from upconv.models.catalogue import DEFAULT
    from upconv.runtime import Upscaler
    from upconv.runtime.options import UpscaleOptions

    kind = frames_kind(frames)
    check_page(compare)
    if kind != "video" and (matrix is not None or start_frame or resume):
        raise ParameterError("--matrix, --start-frame and --resume apply to video; give --frames y4m too")
    width, height, fitting = box(width, height, fit, fill)
    options = UpscaleOptions(
        scale,
        width,
        height,
        fitting=fitting,
        quality=quality,
        lossless=lossless,
        metadata=metadata.value,
        profile=profile.value,
        frames=kind == "animation",
        max_pixels=max_pixels,
    )

    def opened_upscaler() -> Upscaler:
        return Upscaler(model_path(model or DEFAULT), provider=provider, workers=workers, exact=exact)

    with ending_on_sigterm():
        if kind == "video":
            check_options(options, {"--format": format, "--compare": compare})
            task = VideoTask(one_input(inputs), output, str(frames), matrix, start_frame, resume, overwrite)
            upscale_video(task, opened_upscaler, options, dry_run=dry_run, as_json=as_json)
        elif is_piped(inputs, output):
            check_piped(dry_run=dry_run, compare=compare)
            name = None if format is None else format.value
            upscale_piped(inputs[0], output, name, opened_upscaler, options, as_json=as_json)
        else:
            listing = None if output is None else _tasks(inputs, output, format, options.frames, lossless)
            with opened_upscaler() as upscaler:
                listing = listing or listing_beside(inputs, upscaler.scale, options, format, overwrite=overwrite)
                folder = None if output is None or listing.jobs[0].destination == Path(output) else Path(output)
                work = FileWork(listing, folder, overwrite, compare, as_json)
                (_predict_files if dry_run else _upscale_files)(work, upscaler, options)


@dataclass(frozen=True)
class FileWork:
    """The pictures in files to upscale, and the reports that are wanted."""

    listing: FolderListing
    folder: Path | None
    """The folder of the results, which has a journal. `None`: the results are single files."""
    overwrite: bool
    """True to upscale again what is done."""
    compare: Path | None
    """The page that shows before and after. `None`: no page."""
    as_json: bool
    """True to print a report as JSON."""


def _upscale_files(work: FileWork, upscaler: Upscaler, options: UpscaleOptions) -> None:
    from upconv.cli.before_after import write_page
    from upconv.cli.progress import ProgressReport, outcome_row

    model = str(upscaler.model.contract.name)
    with ProgressReport(work.listing, model, quiet=work.as_json) as report:
        for outcome in _outcomes(work.listing, upscaler, options, work.folder, work.overwrite):
            report.take(outcome)
    if work.as_json:
        print(json.dumps([outcome_row(outcome, model) for outcome in report.outcomes], indent=2))
    if work.compare is not None:
        write_page(work.compare, report.outcomes, model)
    if report.failed:
        raise typer.Exit(1)


def _predict_files(work: FileWork, upscaler: Upscaler, options: UpscaleOptions) -> None:
    from upconv.cli.dry_run import print_prediction
    from upconv.runtime.folders import Journal

    tasks = work.listing.jobs
    if work.folder is not None and not work.overwrite:
        journal = Journal(work.folder, upscaler.model.sha256, options)
        tasks = tuple(task for task in tasks if journal.done(task) is None)
    failed = print_prediction(tasks, upscaler, options, len(work.listing.jobs) - len(tasks), as_json=work.as_json)
    if failed or work.listing.closed:
        raise typer.Exit(1)


def model_path(name: str) -> Path:
    """Return the file of a catalogue name or of a path. Raises `ModelError` if there is no such model."""
    from upconv.models.catalogue import CATALOGUE, bundled
    from upconv.runtime.errors import ModelError

    if name in CATALOGUE:
        return bundled(name)
    if not Path(name).is_file():
        raise ModelError(f"no model called {name!r}; expected a file or one of {', '.join(CATALOGUE)}")
    return Path(name)


def _tasks(inputs: list[Path], destination: str, format: FormatOption | None, frames: bool, lossless: bool) -> FolderListing:
    from upconv.runtime.codecs import SUFFIXES
    from upconv.runtime.codecs.encoding import check_options as check_format
    from upconv.runtime.folders import find_tasks

    output, into_folder = Path(destination), destination.endswith(("/", os.sep))
    check_inputs(inputs)
    if format is FormatOption.GIF and not frames:
        raise ParameterError("--format gif needs --frames; choose png for a single picture")
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir() and not into_folder:
        listing = _single(inputs[0], output, format, frames)
    else:
        if output.is_file():
            raise ParameterError(f"--output {output} is a file; give a folder for several pictures")
        listing = find_tasks(inputs, output, format=None if format is None else format.value, frames=frames)
    for job in listing.jobs if lossless else ():
        check_format(SUFFIXES[job.destination.suffix.lower()], 90, lossless)
    return listing


def _single(source: Path, output: Path, format: FormatOption | None, frames: bool) -> FolderListing:
    from collections import Counter

    from upconv.runtime.codecs import ANIMATED, WRITABLE, format_of
    from upconv.runtime.folders import FileTask, FolderListing
    from upconv.runtime.folders.tasks import check_tasks

    name = format_of(output, tuple(dict.fromkeys((*WRITABLE, *ANIMATED))) if frames else WRITABLE)
    if format is not None and format != name:
        raise ParameterError(f"--format {format.value} does not match {output.name}; give only one of them")
    if not output.parent.is_dir():
        raise ParameterError(f"there is no folder {output.parent} to write {output.name} into; create it first")
    jobs = (FileTask(source, output),)
    check_tasks(jobs)
    return FolderListing(jobs, Counter())


def _outcomes(
    listing: FolderListing, upscaler: Upscaler, options: UpscaleOptions, folder: Path | None, overwrite: bool
) -> Iterator[FileResult]:
    from upconv.runtime.folders import Journal, process_folder

    journal = None if folder is None else Journal(folder, upscaler.model.sha256, options)
    return process_folder(listing.jobs, upscaler, options, journal, overwrite=overwrite)
