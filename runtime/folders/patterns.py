"""Patterns of file names, such as `album/**/*.jpg`, which stand for the pictures in a folder that match."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from upconv.runtime.buckets import BucketPath, Place

_ANY_DEPTH = "**"
_SPECIAL = frozenset("*?[")


def is_pattern(path: Place) -> bool:
    """Return true if a path contains `*`, `?` or `[`, and no file has this name."""
    return bool(_SPECIAL & set(str(path))) and not path.exists()


def split_pattern(path: Place) -> tuple[Place, tuple[str, ...]]:
    """Return the folder before the first special part of a pattern, and the parts from there on."""
    parts = path.parts
    first = next(number for number, part in enumerate(parts) if _SPECIAL & set(part))
    folder = Path(*parts[:first]) if isinstance(path, Path) else BucketPath(parts[0]).joinpath(*parts[1:first])
    return folder, parts[first:]


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return true if the parts of a path match the parts of a pattern. `**` matches any number of folders."""
    if not pattern:
        return not parts
    if pattern[0] == _ANY_DEPTH:
        return matches(parts, pattern[1:]) or (bool(parts) and matches(parts[1:], pattern))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and matches(parts[1:], pattern[1:])


def may_contain(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return true if a folder with these parts may contain a file that matches."""
    if not parts:
        return bool(pattern)
    if not pattern:
        return False
    return pattern[0] == _ANY_DEPTH or (fnmatchcase(parts[0], pattern[0]) and may_contain(parts[1:], pattern[1:]))
