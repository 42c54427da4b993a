"""The search for pictures in files and folders, and the destination of each result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.codecs.formats import ANIMATED, SUFFIXES, WRITABLE, default_result
from upconv.runtime.errors import ParameterError

_OTHER_PICTURES = (
    *(".jxl", ".psd", ".psb", ".xcf", ".svg", ".pdf", ".eps", ".ico", ".exr", ".hdr", ".dds", ".qoi"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
)
"""Suffixes of pictures in formats that are not read. A listing counts them, so that the user learns of them."""


@dataclass(frozen=True)
class FileTask:
    """One picture to process: its file, and the file of its result."""

    source: Path
    destination: Path


@dataclass(frozen=True)
class FolderListing:
    """The pictures that were found, and the files and folders that were left out."""

    jobs: tuple[FileTask, ...]
    """The pictures to process."""
    ignored: Counter[str]
    """The number of pictures in formats that are not read, by suffix."""
    closed: tuple[str, ...] = ()
    """A sentence for each folder that cannot be read."""


def find_tasks(inputs: list[Path], output: Path, *, format: str | None = None, frames: bool = False) -> FolderListing:
    """Return the pictures among files and folders, with their destinations in the folder `output`.

    Folders are searched recursively, without hidden files and without `output`. A result has the name of its picture;
    its suffix changes if `format` requires it, or if the format of the picture is not written. `frames` keeps
    animations in their format.

    Raises `ParameterError` if an input would be overwritten, two results would have one destination, or there is no
    picture.
    """
    ignored: Counter[str] = Counter()
    closed: list[str] = []
    names: list[tuple[Path, Path]] = []
    for path in inputs:
        if path.is_dir():
            names += [(file, file.relative_to(path)) for file in _pictures(path, output, ignored, closed)]
        else:
            names.append((path, Path(path.name)))
    jobs = tuple(FileTask(source, output / name) for source, name in _with_unique_names(names, format, frames))
    if not jobs:
        others = f", only {_listed(ignored)}" if ignored else f"; {closed[0]}" if closed else ""
        raise ParameterError(f"there are no pictures in {', '.join(map(str, inputs))}{others}")
    check_tasks(jobs)
    return FolderListing(jobs, ignored, tuple(closed))


def check_tasks(jobs: tuple[FileTask, ...]) -> None:
    """Raise `ParameterError` if a result would overwrite an input or another result."""
    sources = {job.source.resolve() for job in jobs}
    seen: dict[Path, Path] = {}
    for job in jobs:
        destination = job.destination.resolve()
        if destination in sources:
            raise ParameterError(f"{job.destination} would be overwritten; choose another output")
        if destination in seen:
            raise ParameterError(
                f"{seen[destination]} and {job.source} would both become {job.destination}; give them different outputs"
            )
        seen[destination] = job.source


def _pictures(folder: Path, output: Path, ignored: Counter[str], closed: list[str]) -> Iterator[Path]:
    """Yield the pictures in a folder, count those that are not read, and note the folders that cannot be read."""

    def note(error: OSError) -> None:
        closed.append(f"cannot read the folder {error.filename}: {error.strerror}")

    excluded = output.resolve()
    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and (Path(parent) / name).resolve() != excluded
        )
        for name in sorted(files):
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES and not name.startswith("."):
                yield Path(parent) / name
            ignored.update([suffix] if suffix in _OTHER_PICTURES else [])


def _with_unique_names(names: list[tuple[Path, Path]], format: str | None, frames: bool) -> Iterator[tuple[Path, Path]]:
    """Yield each source with the name of its result, made unique.

    If a new suffix gives two results one name, as for a.gif and a.png, it follows the old suffix: a.gif.png.
    """
    renamed = [(source, name, _renamed(name, format, frames)) for source, name in names]
    counts = Counter(new for _, _, new in renamed)
    for source, name, new in renamed:
        unique = counts[new] == 1 or new == name
        yield source, new if unique else name.with_name(name.name + new.suffix)


def _renamed(name: Path, format: str | None, frames: bool) -> Path:
    """Return the name with the suffix of the result's format."""
    own = SUFFIXES.get(name.suffix.lower())
    if own in ANIMATED and frames and format in (None, *ANIMATED):
        target = format or own
    else:
        target = format if format in WRITABLE else (default_result(own or "") if format is None else "png")
    return name if own == target else name.with_suffix(f".{target}".replace(".jpeg", ".jpg"))


def _listed(suffixes: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
