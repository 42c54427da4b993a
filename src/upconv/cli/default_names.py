"""The names of results if the command line gives none: beside the picture, with the size in the name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from upconv.cli.folder_options import check_free
from upconv.runtime.buckets import Place, path_of
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime import UpscaleOptions
    from upconv.runtime.folders import FolderListing


def beside(source: Path, options: UpscaleOptions, native_scale: int, suffix: str) -> Path:
    """Return the file beside `source` for its result, such as a-x2.jpg."""
    return source.with_name(f"{source.stem}-{_size(options, native_scale)}{suffix}")


def check_inputs(inputs: Sequence[Place]) -> None:
    """Raise `ParameterError` if an input does not exist."""
    missing = [path for path in inputs if not path.exists()]
    if missing:
        raise ParameterError(f"no such file: {missing[0]}")


def listing_beside(
    sources: list[Path], native_scale: int, options: UpscaleOptions, format: str | None, *, overwrite: bool
) -> FolderListing:
    """Return the pictures with destinations beside them.

    Raises `ParameterError` if a source is missing or a folder, or if a destination exists and `overwrite` is false.
    """
    from upconv.runtime.codecs import SUFFIXES
    from upconv.runtime.folders import FileTask, FolderListing
    from upconv.runtime.folders.result_names import Naming
    from upconv.runtime.folders.tasks import check_tasks

    check_inputs(sources)
    folder = next((source for source in sources if source.is_dir()), None)
    if folder is not None:
        raise ParameterError(f"{folder} is a folder; give --output another folder for its results")
    naming = Naming(format, options.frames)
    suffixes = [naming.suffix(SUFFIXES.get(source.suffix.lower()), source.suffix) for source in sources]
    jobs = tuple(
        FileTask(source, beside(source, options, native_scale, suffix))
        for source, suffix in zip(sources, suffixes, strict=True)
    )
    for job in jobs:
        check_free(path_of(job.destination), overwrite=overwrite)
    check_tasks(jobs)
    return FolderListing(jobs, Counter())


def _size(options: UpscaleOptions, native_scale: int) -> str:
    if options.width is not None and options.height is not None:
        return f"{options.width}x{options.height}"
    if options.width is not None:
        return f"w{options.width}"
    if options.height is not None:
        return f"h{options.height}"
    return f"x{native_scale if options.scale is None else options.scale:g}"
