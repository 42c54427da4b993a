"""The command `upconv upscale`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from upconv.cli.default_names import listing_beside
from upconv.cli.folder_options import (
    FilesFrom,
    FolderOptions,
    JsonLines,
    KeepTime,
    OnMachines,
    ReportFile,
    ShardChoice,
    WorkPlace,
    check_free,
    paths_of,
)
from upconv.cli.folder_work import FileWork, predict_files, upscale_files, work_into
from upconv.cli.option_types import (
    Border,
    Colors,
    DryRun,
    FillBox,
    FitBox,
    FramesChoice,
    MatrixChoice,
    Quiet,
    Resume,
    StartFrame,
    Unproved,
    box,
)
from upconv.cli.piped_picture import check_piped, is_piped, upscale_piped
from upconv.cli.standard_streams import STANDARD
from upconv.cli.tiles_option import TilesElsewhere, TilesFrom, TilesWire
from upconv.cli.video import VideoTask, check_options, one_input, upscale_video
from upconv.runtime.buckets import place
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime.auto_upscaler import AnyUpscaler
    from upconv.runtime.model_choice import ModelSet
    from upconv.runtime.spot_proof import SpotProof

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
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Image files, folders of them, patterns such as 'a/**/*.jpg', or URLs of buckets such as s3://bucket/in; - for standard input."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="A file for one input, a folder, a bucket (s3://bucket/out), or - for standard output; by default a file beside each input.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="An .onnx file, a catalogue name, or auto for the one that fits each picture.")
    ] = "auto",
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
    colors: Colors = None,
    border: Border = None,
    frames: FramesChoice = None,
    matrix: MatrixChoice = None,
    start_frame: StartFrame = 0,
    resume: Resume = False,
    max_pixels: Annotated[int, typer.Option(min=1, help="Pixels of the largest picture to read.")] = 100_000_000,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace results that exist, also those that are done in the folder.")
    ] = False,
    files_from: FilesFrom = None,
    shard: ShardChoice = None,
    keep_time: KeepTime = False,
    compare: Annotated[Path | None, typer.Option(help="The .html page to write, which shows before and after.")] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Use the exact halo of the model, even if it is slow.")] = False,
    provider: Annotated[
        str, typer.Option(help="Execution provider: cpu, cuda, webgpu, ... (upconv devices), or auto for the fastest here.")
    ] = "cpu",
    unproved: Unproved = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker threads; by default one for each available core.")] = None,
    on: OnMachines = WorkPlace.HERE,
    tiles_from: TilesFrom = None,
    tiles_wire: TilesWire = "fp32",
    dry_run: DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a report as JSON.")] = False,
    json_lines: JsonLines = False,
    quiet: Quiet = False,
    report: ReportFile = None,
) -> None:
    """Upscale pictures and video, without torch. A folder that is partly done is continued."""
    from upconv.cli.before_after import check_page
    from upconv.cli.frames_option import frames_kind
    from upconv.cli.termination import ending_on_sigterm
    from upconv.runtime.auto_upscaler import open_upscaler
    from upconv.runtime.options import UpscaleOptions

    kind = frames_kind(frames)
    check_page(compare)
    if json_lines and (dry_run or kind == "video"):
        raise ParameterError("--jsonl is for the pictures of a folder; give --json with --dry-run and with video")
    wanted = FolderOptions(
        shard,
        files_from,
        json_lines,
        as_json,
        quiet,
        report,
        keep_time,
        overwrite=overwrite,
        compare=compare,
        workers=workers,
        on=on,
    )
    wanted.check()
    named, name = [place(text) for text in inputs or []], None if format is None else format.value
    wanted.check_places(named, output)
    in_buckets = wanted.uses_buckets(named, output)
    if on is WorkPlace.RAY and tiles_from is not None:
        raise ParameterError("--on ray and --tiles-from exclude each other; give one of them")
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
        colors=None if colors is None else _COUNTS[colors],
        border=border,
        frames=kind == "animation",
        max_pixels=max_pixels,
    )

    executors = TilesElsewhere(tiles_from, tiles_wire, quiet).executors(provider, workers)

    def opened_upscaler() -> AnyUpscaler:
        models = chosen_models(model)
        upscaler = open_upscaler(
            models, provider=provider, workers=workers, exact=exact, unproved=unproved, executors=executors
        )
        _tell_proof(upscaler.proof, quiet=quiet)
        return upscaler

    with ending_on_sigterm():
        if kind == "video":
            check_options(options, {"--format": format, "--compare": compare})
            task = VideoTask(one_input(paths_of(named)), output, str(frames), matrix, start_frame, resume, overwrite)
            upscale_video(task, opened_upscaler, options, dry_run=dry_run, as_json=as_json)
        elif named and not in_buckets and is_piped(paths_of(named), output):
            check_piped(dry_run=dry_run, compare=compare, json_lines=json_lines)
            if output is not None and output != STANDARD:
                check_free(Path(output), overwrite=overwrite)
            upscale_piped(paths_of(named)[0], output, name, opened_upscaler, options, as_json=as_json)
        else:
            work = None if output is None else work_into(named, output, name, wanted, frames=options.frames, lossless=lossless)
            with opened_upscaler() as upscaler:
                if work is None:
                    listing = listing_beside(paths_of(named), upscaler.scale, options, name, overwrite=overwrite)
                    work = FileWork(lambda _: listing, None, wanted)
                if dry_run:
                    predict_files(work, upscaler, options)
                else:
                    upscale_files(work, upscaler, options, exact=exact, unproved=unproved)


def _tell_proof(proof: SpotProof | None, *, quiet: bool) -> None:
    """Say on standard error how far the provider is from the processor."""
    if proof is not None and not (quiet and proof.passed):
        print(f"{'proved' if proof.passed else 'warning: unproved'}: {proof}", file=sys.stderr)


def chosen_models(name: str) -> Path | ModelSet:
    """Return the file of a model, or the catalogue's models if `name` is `auto`. Raises what `model_path` raises."""
    from upconv.models.catalogue import model_set
    from upconv.runtime.auto_upscaler import NAME

    return model_set() if name == NAME else model_path(name)


def model_path(name: str) -> Path:
    """Return the file of a catalogue name or of a path. Raises `ModelError` if there is no such model."""
    from upconv.models.catalogue import CATALOGUE, bundled
    from upconv.runtime.errors import ModelError

    if name in CATALOGUE:
        return bundled(name)
    if not Path(name).is_file():
        raise ModelError(f"no model called {name!r}; expected a file or one of {', '.join(CATALOGUE)}")
    return Path(name)
