"""The command `upconv upscale`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from upconv.cli.option_types import Border, Colors
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime import Upscaler
    from upconv.runtime.folders import FileResult, FolderListing
    from upconv.runtime.options import UpscaleOptions

_COUNTS: dict[str, Literal[2, 4, 16, 256]] = {"2": 2, "4": 4, "16": 16, "256": 256}


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
    inputs: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A file for one input, or a folder.")],
    model: Annotated[str | None, typer.Option(help="An .onnx file or a catalogue name.")] = None,
    scale: Annotated[
        float | None, typer.Option(help="Output pixels per input pixel, per side; by default the model's.")
    ] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Width of the result in pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Height of the result in pixels.")] = None,
    format: Annotated[
        FormatOption | None, typer.Option(help="Format of the results in a folder; by default that of each picture.")
    ] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of JPEG, WebP and AVIF.")] = 90,
    lossless: Annotated[bool, typer.Option("--lossless", help="Write WebP and AVIF without loss.")] = False,
    profile: Annotated[ProfileOption, typer.Option(help="Keep the colour profile, or convert to sRGB.")] = ProfileOption.KEEP,
    metadata: Annotated[MetadataOption, typer.Option(help="Keep EXIF, XMP and texts, or remove them.")] = MetadataOption.KEEP,
    colors: Colors = None,
    border: Border = None,
    frames: Annotated[bool, typer.Option("--frames", help="Upscale every frame of GIF and WebP, not only the first.")] = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of the largest picture to read.")] = 100_000_000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Upscale again what is already done in the folder.")] = False,
    compare: Annotated[Path | None, typer.Option(help="The .html page to write, which shows before and after.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Use the exact halo of the model, even if it is slow.")] = False,
    provider: Annotated[str, typer.Option(help="Execution provider: cpu, cuda or openvino.")] = "cpu",
    workers: Annotated[int | None, typer.Option(min=1, help="Worker threads; by default one for each available core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report as JSON.")] = False,
) -> None:
    """Upscale pictures, without torch. A folder that is partly done is continued."""
    from upconv.cli.before_after import check_page, write_page
    from upconv.cli.progress import ProgressReport
    from upconv.models.catalogue import DEFAULT
    from upconv.runtime import Upscaler
    from upconv.runtime.options import UpscaleOptions

    listing = _tasks(inputs, output, format, frames, lossless)
    check_page(compare)
    options = UpscaleOptions(
        scale,
        width,
        height,
        quality=quality,
        lossless=lossless,
        metadata=metadata.value,
        profile=profile.value,
        colors=None if colors is None else _COUNTS[colors],
        border=border,
        frames=frames,
        max_pixels=max_pixels,
    )
    folder = None if listing.jobs[0].destination == output else output
    with (
        Upscaler(model_path(model or DEFAULT), provider=provider, workers=workers, exact=exact) as upscaler,
        ProgressReport(listing, quiet=as_json) as report,
    ):
        for outcome in _outcomes(listing, upscaler, options, folder, overwrite):
            report.take(outcome)
    if as_json:
        print(json.dumps([_row(outcome) for outcome in report.outcomes], indent=2))
    if compare is not None:
        write_page(compare, report.outcomes, str(upscaler.model.contract.name))
    if report.failed:
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


def _tasks(inputs: list[Path], output: Path, format: FormatOption | None, frames: bool, lossless: bool) -> FolderListing:
    from upconv.runtime.codecs import SUFFIXES
    from upconv.runtime.codecs.encoding import check_options
    from upconv.runtime.folders import find_tasks

    missing = [path for path in inputs if not path.exists()]
    if missing:
        raise ParameterError(f"no such file: {missing[0]}")
    if format is FormatOption.GIF and not frames:
        raise ParameterError("--format gif needs --frames; choose png for a single picture")
    if len(inputs) == 1 and not inputs[0].is_dir() and not output.is_dir():
        listing = _single(inputs[0], output, format, frames)
    else:
        if output.is_file():
            raise ParameterError(f"--output {output} is a file; give a folder for several pictures")
        listing = find_tasks(inputs, output, format=None if format is None else format.value, frames=frames)
    for job in listing.jobs if lossless else ():
        check_options(SUFFIXES[job.destination.suffix.lower()], 90, lossless)
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


def _row(outcome: FileResult) -> dict[str, Any]:
    row: dict[str, Any] = {"input": str(outcome.job.source), "status": outcome.status}
    if outcome.error is not None:
        return row | {"error": outcome.error}
    return row | {
        "output": str(outcome.job.destination),
        "from": outcome.before,
        "to": outcome.after,
        "seconds": round(outcome.seconds, 3),
        "conversions": outcome.conversions,
    }
