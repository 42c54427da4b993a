"""Which pictures there are, and where each result goes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upconv.runtime.codecs.formats import ANIMATED, SUFFIXES, WRITABLE
from upconv.runtime.errors import ParameterError

_OTHER_PICTURES = (
    *(".bmp", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".psb", ".xcf", ".svg", ".pdf", ".eps", ".ico", ".exr", ".hdr"),
    *(".ppm", ".pgm", ".pbm", ".tga", ".dds", ".qoi"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
)
"""Suffixes of pictures that are not read, so that a folder's report can say that they were left out."""


@dataclass(frozen=True)
class FileTask:
    """One picture's way."""

    source: Path
    destination: Path


@dataclass(frozen=True)
class FolderListing:
    """What is to be done."""

    jobs: tuple[FileTask, ...]
    ignored: Counter[str]
    """How many pictures of other formats lie in the folders, by suffix."""
    closed: tuple[str, ...] = ()
    """Folders that cannot be looked into, a sentence each."""


def find_tasks(inputs: list[Path], output: Path, *, format: str | None = None, frames: bool = False) -> FolderListing:
    """The pictures among `inputs`, files and folders, and their places in the folder `output`.

    Folders are searched to their depth, but hidden files and `output` itself are passed over. A result has its
    picture's name, with another suffix where `format` or what can be written asks for one. Raises `ParameterError`
    where an input would be overwritten, two results would go to one place, or there is nothing to do.
    """
    ignored: Counter[str] = Counter()
    closed: list[str] = []
    names: list[tuple[Path, Path]] = []
    for path in inputs:
        if path.is_dir():
            names += [(file, file.relative_to(path)) for file in _pictures(path, output, ignored, closed)]
        else:
            names.append((path, Path(path.name)))
    jobs = tuple(FileTask(source, output / name) for source, name in _apart(names, format, frames))
    if not jobs:
        others = f", only {_listed(ignored)}" if ignored else f"; {closed[0]}" if closed else ""
        raise ParameterError(f"there are no pictures in {', '.join(map(str, inputs))}{others}")
    check_tasks(jobs)
    return FolderListing(jobs, ignored, tuple(closed))


def check_tasks(jobs: tuple[FileTask, ...]) -> None:
    """Raise `ParameterError` where an input would be overwritten, or one result by another."""
    sources = {job.source.resolve() for job in jobs}
    seen: dict[Path, Path] = {}
    for job in jobs:
        place = job.destination.resolve()
        if place in sources:
            raise ParameterError(f"{job.destination} would be overwritten; choose another output")
        if place in seen:
            raise ParameterError(
                f"{seen[place]} and {job.source} would both become {job.destination}; give them different outputs"
            )
        seen[place] = job.source


def _pictures(folder: Path, output: Path, ignored: Counter[str], closed: list[str]) -> Iterator[Path]:
    def note(error: OSError) -> None:
        closed.append(f"cannot look into {error.filename}: {error.strerror}")

    beyond = output.resolve()
    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (Path(place) / name).resolve() != beyond)
        for name in sorted(files):
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES and not name.startswith("."):
                yield Path(place) / name
            ignored.update([suffix] if suffix in _OTHER_PICTURES else [])


def _apart(names: list[tuple[Path, Path]], format: str | None, frames: bool) -> Iterator[tuple[Path, Path]]:
    """Names of results. Where a new suffix makes two pictures one, as of a.gif and a.png, it goes behind the old: a.gif.png."""
    wanted = [(source, name, _renamed(name, format, frames)) for source, name in names]
    taken = Counter(new for _, _, new in wanted)
    for source, name, new in wanted:
        alone = taken[new] == 1 or new == name
        yield source, new if alone else name.with_name(name.name + new.suffix)


def _renamed(name: Path, format: str | None, frames: bool) -> Path:
    own = SUFFIXES.get(name.suffix.lower())
    if own in ANIMATED and frames and format in (None, *ANIMATED):
        wanted = format or own
    else:
        wanted = format if format in WRITABLE else (own if own in WRITABLE and format is None else "png")
    return name if own == wanted else name.with_suffix(f".{wanted}".replace(".jpeg", ".jpg"))


def _listed(suffixes: Counter[str]) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(suffixes.items()))
