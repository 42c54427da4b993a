"""Options of `upconv upscale` for folders."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from upconv.cli.standard_streams import STANDARD
from upconv.runtime.buckets import BucketPath, Place, place
from upconv.runtime.errors import ParameterError

if TYPE_CHECKING:
    from upconv.runtime.folders import Shard
    from upconv.runtime.options import ImageFormat

ShardChoice = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Upscale only part I of N of the pictures, for machines that share no folder."),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option("--files-from", help="A file with one picture per line, or ended by zero bytes; - for standard input."),
]
JsonLines = Annotated[bool, typer.Option("--jsonl", help="Print each result as a line of JSON as soon as it exists.")]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="The table of all pictures to write, .csv or .parquet; otherwise the file of failures, as lines of JSON.",
    ),
]
KeepTime = Annotated[bool, typer.Option("--keep-time", help="Give results the modification time of their pictures.")]

_CHUNK = 1 << 16


class WorkPlace(StrEnum):
    """The machines that do the work: this one, or those of Ray."""

    HERE = "here"
    RAY = "ray"


OnMachines = Annotated[
    WorkPlace,
    typer.Option("--on", help="Upscale a folder here, or on Ray: the cluster of RAY_ADDRESS, or one on this machine."),
]


@dataclass(frozen=True)
class FolderOptions:
    """The options of a run over many pictures."""

    shard: str | None = None
    """The part of the pictures, as `--shard` states it."""
    files_from: Path | None = None
    """The list of pictures. `-` is standard input."""
    json_lines: bool = False
    """True to print each result as a line of JSON."""
    as_json: bool = False
    """True to print all results as JSON at the end."""
    quiet: bool = False
    """True to print only errors."""
    report: Path | None = None
    """The table of all pictures, if it ends in .csv or .parquet; otherwise the file for failures."""
    keep_time: bool = False
    """True to give results the modification time of their pictures."""
    overwrite: bool = False
    """True to replace existing results."""
    compare: Path | None = None
    """The page that shows before and after."""
    workers: int | None = None
    """The number of worker threads, and of worker processes for small pictures; on Ray, the number of actors."""
    on: WorkPlace = WorkPlace.HERE
    """The machines that do the work."""

    def check(self) -> None:
        """Raise `ParameterError` if two options exclude each other."""
        if self.as_json and self.json_lines:
            raise ParameterError("give only one of --json and --jsonl")
        if self.report is not None and (self.report.is_dir() or not self.report.parent.is_dir()):
            raise ParameterError(f"cannot write a report to {self.report}: expected a file in a folder that exists")
        parse_shard(self.shard)

    def uses_buckets(self, inputs: Sequence[Place], output: str | None) -> bool:
        """Return true if an input or the output is in a bucket. Raises `ParameterError` if an option needs files."""
        into = BucketPath.parse(output or "")
        first = next((str(each) for each in inputs if isinstance(each, BucketPath)), None)
        if first is None and into is None:
            return False
        if STANDARD in map(str, inputs):
            raise ParameterError("- is a single picture, which cannot be written into a bucket; write a file and give that")
        if output in (None, STANDARD):
            raise ParameterError(f"{first} is in a bucket; give --output, a folder or a bucket for the results")
        if self.compare is not None:
            raise ParameterError("--compare needs files; give it without buckets")
        if self.keep_time and into is not None:
            raise ParameterError(
                "--keep-time needs an output folder of files; objects of buckets have the time of their upload"
            )
        return True

    def check_places(self, inputs: Sequence[Place], output: str | None) -> None:
        """Raise `ParameterError` if there is nothing to upscale, or no place for the results."""
        if self.on is WorkPlace.RAY and output is None:
            raise ParameterError("--on ray needs --output, the folder of the results")
        if not inputs and self.files_from is None:
            raise ParameterError("nothing to upscale; give pictures, folders or --files-from")
        if output is None and (self.files_from is not None or self.shard is not None):
            raise ParameterError("--files-from and --shard need --output, the folder of the results")


def parse_shard(text: str | None) -> Shard | None:
    """Return the shard that a text such as 2/3 states; `None` for no text. Raises `ParameterError` if it states none."""
    from upconv.runtime.folders import Shard

    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if found is None:
        raise ParameterError(f"--shard must be I/N, such as 2/3, not {text}")
    return Shard(int(found[1]), int(found[2]))


def check_free(output: Path, *, overwrite: bool) -> None:
    """Raise `ParameterError` if a single result would replace a file without being asked to."""
    if output.exists() and not overwrite:
        raise ParameterError(f"{output} exists; choose another --output, or give --overwrite to replace it")


def format_of_result(output: Path, format: str | None, *, frames: bool) -> ImageFormat:
    """Return the format that the name of a single result states.

    Raises `ParameterError` if that is no format that is written, or another one than `format`.
    """
    from upconv.runtime.codecs import ANIMATED, WRITABLE, format_of

    name = format_of(output, tuple(dict.fromkeys((*WRITABLE, *ANIMATED))) if frames else WRITABLE)
    if format is not None and format != name:
        raise ParameterError(f"--format {format} does not match {output.name}; give only one of them")
    return name


def paths_of(places: Sequence[Place]) -> list[Path]:
    """Return places as paths. Raises `ParameterError` if one is in a bucket."""
    for each in places:
        if isinstance(each, BucketPath):
            raise ParameterError(f"{each} is in a bucket, which is possible for pictures with an --output folder only")
    return [each for each in places if isinstance(each, Path)]


def paths_in(source: Path) -> Iterator[Place]:
    """Yield the paths and URLs in a list of files, while it is read. Empty lines are left out.

    Raises `ParameterError` if the list cannot be read.
    """
    with _opened(source) as file:
        rest, end = b"", b""
        while chunk := file.read1(_CHUNK) if hasattr(file, "read1") else file.read(_CHUNK):
            end = end or (b"\0" if b"\0" in chunk else b"\n")
            *whole, rest = (rest + chunk).split(end)
            yield from _paths(whole)
        yield from _paths([rest])


def _paths(names: list[bytes]) -> Iterator[Place]:
    import os

    for name in names:
        if name.strip(b"\r"):
            yield place(os.fsdecode(name.rstrip(b"\r")))


@contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    if str(source) == "-":
        yield sys.stdin.buffer
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise ParameterError(f"cannot read --files-from {source}: {error.strerror}") from error
    with file:
        yield file
