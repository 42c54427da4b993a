"""A place of pictures: a path of the file system, or one of a bucket."""

from __future__ import annotations

import os
from pathlib import Path

from upconv.runtime.buckets.bucket_path import BucketPath
from upconv.runtime.errors import ParameterError

Place = Path | BucketPath
"""Where a picture, a result or a folder of them is."""


def place(text: str) -> Place:
    """Return the place that a text names: a URL such as s3://bucket/album, or a path.

    Raises `ParameterError` if it is a URL that names no bucket, or a key that cannot be used.
    """
    return BucketPath.parse(text) or Path(text)


def path_of(place: Place) -> Path:
    """Return the path of a place that is no bucket. Raises `ParameterError` if it is one."""
    if isinstance(place, BucketPath):
        raise ParameterError(f"{place} is in a bucket; expected a file or a folder")
    return place


def is_inside(inner: BucketPath, outer: BucketPath) -> bool:
    """Return true if an object is in a folder of a bucket."""
    return inner.bucket == outer.bucket and bool(inner.key) and (not outer.key or inner.key.startswith(f"{outer.key}/"))


def real_name(where: Place) -> str:
    """Return the path with links resolved, or the URL."""
    return str(where) if isinstance(where, BucketPath) else os.path.realpath(where)
