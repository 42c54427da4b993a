"""The search for pictures in folders, patterns, files and lists of files, which goes on while pictures are upscaled."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path

from upconv.runtime.buckets import BucketPath, Place, is_inside
from upconv.runtime.buckets.place import real_name
from upconv.runtime.codecs.formats import SUFFIXES
from upconv.runtime.errors import ParameterError
from upconv.runtime.folders.patterns import is_pattern, matches, may_contain, split_pattern
from upconv.runtime.folders.result_names import Directory, DirectoryReader, Naming, OnIgnored, unique_names
from upconv.runtime.folders.tasks import FileTask, FolderListing, would_be_overwritten, would_both_become

_REMEMBERED = 16
"""Directories whose names are kept while files of a list are looked up in them."""


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of the pictures, which are equally large on average and depend on nothing but the names of results."""

    number: int = 1
    """From 1 to `count`."""
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ParameterError(f"a shard must be from 1/N to N/N, such as 2/3, not {self.number}/{self.count}")

    def takes(self, name: str) -> bool:
        """Return true if the result `name` is in this part."""
        return self.count == 1 or zlib.crc32(os.fsencode(name)) % self.count == self.number - 1


def find_tasks(
    inputs: Iterable[Place], output: Place, *, format: str | None = None, frames: bool = False, shard: Shard | None = None
) -> FolderListing:
    """Return all pictures among `inputs`, with their destinations in the folder `output`; see `stream_tasks`.

    Raises `ParameterError` if an input would be overwritten, two results would have one destination, or there is no
    picture.
    """
    listing = stream_tasks(inputs, output, format=format, frames=frames, shard=shard)
    jobs = tuple(listing.jobs)
    refused = next((job.refusal for job in jobs if job.refusal is not None), None)
    if refused is not None:
        raise ParameterError(refused)
    return replace(listing, jobs=jobs, closed=tuple(listing.closed))


def stream_tasks(
    inputs: Iterable[Place],
    output: Place,
    *,
    files_from: Iterable[Place] | None = None,
    format: str | None = None,
    frames: bool = False,
    shard: Shard | None = None,
    on_ignored: OnIgnored | None = None,
) -> FolderListing:
    """Return the pictures among files, folders and patterns, with their destinations in the folder `output`.

    The pictures are searched for while they are consumed, one directory at a time, so memory depends on the largest
    directory only. Folders are searched recursively, without hidden files and without `output`. Files without a suffix are
    recognised by their content. A result has the name of its picture; its suffix changes if `format` requires it, or if the
    format of the picture is not written. Objects of buckets follow the rules of files, but those without a suffix are left out.
    `frames` keeps animations in their format. `files_from` yields more files; those with relative paths keep their folders. `shard` takes a part of the pictures. `on_ignored` is called with every
    file in the folders that is left out, except hidden ones.

    A task whose result would replace an input or another result has a refusal. Raises `ParameterError` if that is the
    first one or one of the files among `inputs`, or if there is no picture.
    """
    sources = tuple(inputs)
    reader = DirectoryReader(Naming(format, frames), on_ignored=on_ignored)
    search = _Search(sources, output, reader)
    named = tuple(search.named())
    refusal = next((task.refusal for task in named if task.refusal), None)
    if refusal is not None:
        raise ParameterError(refusal)
    found = chain(named, search.searched(), () if files_from is None else search.listed(files_from))
    first = next(found, None)
    if first is None:
        others = f", only {_listed(reader)}" if reader.ignored else f"; {reader.closed[0]}" if reader.closed else ""
        names = ", ".join(map(str, sources)) or "the list of files"
        raise ParameterError(f"there are no pictures in {names}{others}")
    if first.refusal is not None and files_from is None:
        raise ParameterError(first.refusal)
    jobs: Iterator[FileTask] = chain([first], found)
    if shard is not None:
        jobs = (job for job in jobs if shard.takes(_inside(job.destination, output)))
    return FolderListing(jobs, reader.ignored, reader.closed)


@dataclass(frozen=True)
class _Root:
    """A folder to search, and the pattern that its files must match. An empty pattern matches all."""

    folder: Place
    pattern: tuple[str, ...] = ()

    def takes(self, parts: Sequence[str]) -> bool:
        return not self.pattern or matches(parts, self.pattern)

    def enters(self, parts: Sequence[str]) -> bool:
        return not self.pattern or may_contain(parts, self.pattern)


@dataclass
class _Search:
    inputs: Sequence[Place]
    output: Place
    reader: DirectoryReader
    roots: list[_Root] = field(default_factory=list)
    files: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path in self.inputs:
            if not (isinstance(path, BucketPath) and path.is_file()) and path.is_dir():
                self.roots.append(_Root(path))
            elif is_pattern(path):
                self.roots.append(_Root(*split_pattern(path)))
            else:
                self.files.append(path.located() if isinstance(path, BucketPath) else path)
        self._real_output = real_name(self.output)
        self._real_roots = [os.path.realpath(root.folder) for root in self.roots if isinstance(root.folder, Path)]
        self._real_files = {real_name(path) for path in self.files}
        self._taken: dict[str, Place] = {}
        self._names = lru_cache(_REMEMBERED)(self.reader.quiet().read)

    def searched(self) -> Iterator[FileTask]:
        """Yield the tasks of folders and patterns."""
        for number, root in enumerate(self.roots):
            yield from self._of_root(root, self.roots[:number])

    def listed(self, paths: Iterable[Place]) -> Iterator[FileTask]:
        """Yield the tasks of a list of files. Each result has the name that it has if the directory of the file is searched."""
        seen: dict[int, int] = {}  # hashes, because a list may be long
        self._real_roots.append(os.path.realpath("."))
        for path in paths:
            parts = path.parts[:-1]
            kept = Path() if isinstance(path, BucketPath) or path.is_absolute() or ".." in parts else path.parent
            directory = self._read_again(path.parent)
            new = directory.results.get(path.name)
            if new is None and path.exists():
                if self.reader.on_ignored is not None:
                    self.reader.on_ignored(path, "no picture that is read, or a hidden file")
                continue
            source = directory.source(path.parent, path.name) if isinstance(path, BucketPath) else path
            task = FileTask(source, self.output / kept / (new or path.name), None if new else f"no such file: {path}")
            before = seen.setdefault(hash(str(task.destination).casefold()), hash(str(path)))
            if before != hash(str(path)):
                yield replace(task, refusal=f"{path} would become {task.destination} like another file of the list")
            else:
                yield task if task.refusal else self._checked(task, real_name(task.destination.parent))

    def named(self) -> Iterator[FileTask]:
        """Yield the tasks of files. Call it before `searched`, whose results must not replace these."""
        naming = self.reader.naming
        names: dict[str, str] = {}
        for path in self.files:
            own = SUFFIXES.get(path.suffix.lower())
            suffix = naming.suffix(own, path.suffix)
            names[path.name] = path.name if own is None or suffix == path.suffix else path.stem + suffix
        unique = unique_names(names.items())
        for path in self.files:
            task = FileTask(path, self.output / unique[path.name])
            before = self._taken.setdefault(unique[path.name].casefold(), path)
            if before != path:
                yield replace(task, refusal=would_both_become(before, path, task.destination))
            else:
                yield self._checked(task, self._real_output)

    def _of_root(self, root: _Root, earlier: Sequence[_Root]) -> Iterator[FileTask]:
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            parts = waiting.pop()
            here = root.folder.joinpath(*parts)
            directory = self.reader.read(here if isinstance(here, BucketPath) else str(here))
            yield from self._of_directory(root, parts, directory, earlier)
            for name in reversed(directory.folders):
                if root.enters((*parts, name)) and real_name(here / name) != self._real_output:
                    waiting.append((*parts, name))

    def _of_directory(
        self, root: _Root, parts: tuple[str, ...], directory: Directory, earlier: Sequence[_Root]
    ) -> Iterator[FileTask]:
        here, destination = root.folder.joinpath(*parts), self.output.joinpath(*parts)
        taken = self._taken_by(earlier, parts)
        real = real_name(destination)
        for name, new in directory.results.items():
            if not root.takes((*parts, name)):
                continue
            task = FileTask(directory.source(here, name), destination / new)
            before = taken.get(new.casefold())
            if before == task.source:
                continue  # another pattern matched it too
            refusal = None if before is None else would_both_become(before, task.source, task.destination)
            yield replace(task, refusal=refusal) if refusal else self._checked(task, real)

    def _taken_by(self, earlier: Sequence[_Root], parts: tuple[str, ...]) -> dict[str, Place]:
        """Return the results that other inputs have in this folder, in lower case, with their pictures."""
        taken: dict[str, Place] = {} if parts else dict(self._taken)
        for root in earlier:
            folder = root.folder.joinpath(*parts)
            if folder.is_dir():
                results = self._read_again(folder).results
                taken |= {new.casefold(): folder / name for name, new in results.items() if root.takes((*parts, name))}
        return taken

    def _checked(self, task: FileTask, real_parent: str) -> FileTask:
        """Return the task, with a refusal if its result would replace an input."""
        if isinstance(task.destination, BucketPath):
            return replace(task, refusal=would_be_overwritten(task.destination)) if self._is_object(task.destination) else task
        real = os.path.join(real_parent, task.destination.name)
        if os.path.islink(real):
            real = os.path.realpath(real)
        overwrites = real in self._real_files or any(self._is_input(real, root) for root in self._real_roots)
        own = os.path.lexists(real) and real_name(task.source) == real
        return replace(task, refusal=would_be_overwritten(task.destination)) if overwrites or own else task

    def _is_object(self, result: BucketPath) -> bool:
        """Return true if a result would replace an object that is an input."""
        if str(result) in self._real_files:
            return True
        for folder in (root.folder for root in self.roots if isinstance(root.folder, BucketPath)):
            apart = isinstance(self.output, BucketPath) and is_inside(self.output, folder)
            if is_inside(result, folder) and not apart and result.name in self._read_again(result.parent).states:
                return True
        return False

    def _read_again(self, folder: Place) -> Directory:
        return self._names(folder if isinstance(folder, BucketPath) else str(folder))

    def _is_input(self, path: str, root: str) -> bool:
        """Return true if the search of a folder finds the file `path`."""
        if not path.startswith(os.path.join(root, "")):
            return False
        inside = self._real_output != root and self._real_output.startswith(os.path.join(root, ""))
        if inside and path.startswith(os.path.join(self._real_output, "")):
            return False
        return os.path.lexists(path) and os.path.splitext(path)[1].lower() in SUFFIXES


def _inside(place: Place, folder: Place) -> str:
    if isinstance(place, BucketPath) and isinstance(folder, BucketPath):
        return place.relative_to(folder).as_posix()
    assert isinstance(place, Path) and isinstance(folder, Path)
    return place.relative_to(folder).as_posix()


def _listed(reader: DirectoryReader) -> str:
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(reader.ignored.items()))
