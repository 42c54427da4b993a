"""The pictures to upscale, and the destination of each result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from upconv.runtime.buckets import Place
from upconv.runtime.buckets.place import real_name
from upconv.runtime.errors import ParameterError


@dataclass(frozen=True)
class FileTask:
    """One picture to process: its file, and the file of its result."""

    source: Place
    destination: Place
    refusal: str | None = None
    """The reason why there can be no result, as one sentence. `None` if there can be one."""
    record: dict[str, Any] | None = None
    """What the object of the result states about its origin, for JSON. `None`: a file, or a result without a journal."""


@dataclass(frozen=True)
class FolderListing:
    """The pictures that were found, and the files and folders that were left out."""

    jobs: Iterable[FileTask]
    """The pictures to process: a tuple, or an iterator that searches while it is consumed."""
    ignored: Counter[str] = field(default_factory=Counter)
    """The number of pictures in formats that are not read, by suffix. A search counts them while it goes on."""
    closed: Sequence[str] = ()
    """A sentence for each folder that cannot be read. A search adds them while it goes on."""

    @property
    def count(self) -> int | None:
        """The number of pictures; `None` if the search is not complete."""
        return len(self.jobs) if isinstance(self.jobs, tuple) else None


def check_tasks(jobs: Sequence[FileTask]) -> None:
    """Raise `ParameterError` if a result would overwrite an input or another result."""
    sources = {real_name(job.source) for job in jobs}
    seen: dict[str, Place] = {}
    for job in jobs:
        destination = real_name(job.destination)
        if destination in sources:
            raise ParameterError(would_be_overwritten(job.destination))
        if destination in seen:
            raise ParameterError(would_both_become(seen[destination], job.source, job.destination))
        seen[destination] = job.source


def would_be_overwritten(destination: Place) -> str:
    """Return the sentence about a result that would replace an input."""
    return f"{destination} would be overwritten; choose another output"


def would_both_become(first: Place, second: Place, destination: Place) -> str:
    """Return the sentence about two pictures with one result."""
    return f"{first} and {second} would both become {destination}; give them different outputs"
