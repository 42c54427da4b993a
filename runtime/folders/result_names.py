"""The pictures in one directory and the names of their results, which depend on nothing but the directory and the options.

So all processes that share a folder, and all shards, give a picture the same name.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from upconv.runtime.buckets import BucketPath, ObjectState, Place
from upconv.runtime.codecs.formats import ANIMATED, HEAD_BYTES, SUFFIXES, WRITABLE, default_result, sniff

_OTHER_PICTURES = frozenset(
    (
        *(".jxl", ".psd", ".psb", ".xcf", ".svg", ".pdf", ".eps", ".ico", ".exr", ".hdr", ".dds", ".qoi"),
        *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"),
    )
)
"""Suffixes of pictures in formats that are not read. A listing counts them, so that the user learns of them."""

OnIgnored = Callable[[Place, str], None]
"""Takes a file that is not upscaled and the reason."""


@dataclass(frozen=True)
class Naming:
    """The options that determine the names of results."""

    format: str | None = None
    """The format of the results. `None`: that of each picture."""
    frames: bool = False
    """True to keep animations in their format."""

    def suffix(self, own: str | None, suffix: str) -> str:
        """Return the suffix of the result of a picture in the format `own` with this suffix; the same if the format stays."""
        if own in ANIMATED and self.frames and self.format in (None, *ANIMATED):
            target = self.format or own
        else:
            target = self.format if self.format in WRITABLE else (default_result(own or "") if self.format is None else "png")
        return suffix if own == target and suffix else f".{target}".replace(".jpeg", ".jpg")


@dataclass(frozen=True)
class Directory:
    """One directory: its pictures, and its subdirectories."""

    results: dict[str, str]
    """The names of results by the names of pictures, in order."""
    folders: list[str]
    """The names of the subdirectories, in order. Links are left out, so that a circle of links ends."""
    states: Mapping[str, ObjectState] = field(default_factory=dict)
    """The states of objects by their names; empty for files."""

    def source(self, here: Place, name: str) -> Place:
        """Return the place of a picture of this directory, which is at `here`."""
        if isinstance(here, BucketPath):
            return replace(here.joinpath(name), state=self.states.get(name))
        return here / name


@dataclass(frozen=True)
class DirectoryReader:
    """Reads directories, and counts what it leaves out."""

    naming: Naming
    ignored: Counter[str] = field(default_factory=Counter)
    """The number of pictures in formats that are not read, by suffix."""
    closed: list[str] = field(default_factory=list)
    """A sentence for each directory that cannot be read."""
    on_ignored: OnIgnored | None = None

    def read(self, path: str | BucketPath) -> Directory:
        """Return the pictures and subdirectories of a directory. One that cannot be read is noted and empty."""
        if isinstance(path, BucketPath):
            return self._of_bucket(path)
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if not entry.is_dir():
                        files.append(entry.name)
                    elif not entry.is_symlink():
                        folders.append(entry.name)
        except OSError as error:
            self.closed.append(f"cannot read the folder {error.filename or path}: {error.strerror}")
        files.sort()
        folders.sort()
        return Directory(unique_names(self._renamed(path, files)), folders)

    def _of_bucket(self, path: BucketPath) -> Directory:
        try:
            found = path.opened().folder(path.key)
        except OSError as error:
            self.closed.append(f"cannot list {path}: {error.strerror}")
            return Directory({}, [])
        files = sorted(name for name in found.objects if not name.startswith("."))
        folders = sorted(name for name in found.folders if not name.startswith("."))
        results = unique_names(self._renamed(path, files))
        return Directory(results, folders, {name: found.objects[name] for name in results})

    def quiet(self) -> DirectoryReader:
        """Return a reader that counts nothing, to read a directory again."""
        return DirectoryReader(self.naming)

    def _renamed(self, path: str | BucketPath, names: list[str]) -> Iterable[tuple[str, str]]:
        for name in names:
            stem, suffix = os.path.splitext(name)
            own: str | None = SUFFIXES.get(suffix.lower())
            if own is None and not suffix and isinstance(path, str):
                own = _found_in(os.path.join(path, name))
            if own is None:
                self._leave_out(path, name, suffix.lower())
                continue
            new = self.naming.suffix(own, suffix)
            yield name, name if new == suffix else stem + new

    def _leave_out(self, path: str | BucketPath, name: str, suffix: str) -> None:
        known = suffix in _OTHER_PICTURES
        if known:
            self.ignored[suffix] += 1
        if self.on_ignored is not None:
            why = f"pictures in {suffix} are not read" if known else f"no picture, by its {'suffix' if suffix else 'content'}"
            self.on_ignored((Path(path) if isinstance(path, str) else path) / name, why)


def unique_names(renamed: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the names of results by the names of pictures, made unique also where upper and lower case do not differ.

    If a new suffix gives two results one name, as for a.gif and a.png, it follows the old suffix: a.gif.png.
    """
    results = dict(renamed)
    changed = [name for name, new in results.items() if new != name]
    if not changed:
        return results
    counts = Counter(new.casefold() for new in results.values())
    for name in changed:
        new = results[name]
        if counts[new.casefold()] > 1:
            suffix = os.path.splitext(new)[1]
            new = name + suffix
            while new.casefold() in counts:
                new += suffix
            counts[new.casefold()] += 1
            results[name] = new
    return results


def _found_in(path: str) -> str | None:
    """Return the format that the first bytes of a regular file identify."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb", buffering=0) as file:
            return sniff(file.read(HEAD_BYTES))
    except OSError:
        return None
