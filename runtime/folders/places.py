"""The operations on files and objects that folders of pictures need.

Above this module, it makes no difference where the pictures are.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from upconv.runtime import codecs
from upconv.runtime.buckets import BucketPath, Place
from upconv.runtime.codecs.files import check_image, largest_file, output_error
from upconv.runtime.errors import ImageError, machine_error


def read_bytes(place: Place, max_pixels: int) -> bytes:
    """Return the bytes of an image. Raises what `codecs.read_bytes` raises."""
    if isinstance(place, Path):
        return codecs.read_bytes(place, max_pixels)
    limit = largest_file(max_pixels)
    try:
        data, size = place.opened().read(place.key, limit)
    except OSError as error:
        raise machine_error(error, f"cannot read {place}") or ImageError(f"cannot read {place}: {error.strerror}") from error
    check_image(place, data, size, limit)
    return data


def write_whole(
    place: Place, data: bytes, media_type: str, *, record: str | None = None, modified_ns: int | None = None
) -> None:
    """Write a result, which others see whole or not at all, and make its folder.

    An object also gets the `record` and the `media_type`; a file gets the modification time. Raises what `output_error` returns.
    """
    try:
        if isinstance(place, BucketPath):
            place.opened().write(place.key, data, record, media_type)
            return
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(place, error) from error
    codecs.write_atomically(place, data, modified_ns)


def size(place: Place) -> int:
    """Return the size in bytes. Raises `OSError` if there is no such file or object."""
    return state(place)[0]


def state(place: Place) -> tuple[int, int]:
    """Return the size in bytes and the modification in nanoseconds since 1970. Raises `OSError` if it is missing."""
    if isinstance(place, BucketPath):
        known = place.state or place.head().state
        return known.size, known.modified_ns
    found = place.stat()
    return found.st_size, found.st_mtime_ns


def version(place: Place) -> list[object]:
    """Return what tells a version of a picture from another one, for JSON. Raises `OSError` as `state` does."""
    if isinstance(place, BucketPath):
        known = place.state or place.head().state
        return [known.size, known.tag or known.modified_ns]
    return list(state(place))


def create(place: Place, content: bytes, equal: Place | None = None) -> bool:
    """Write a small file or object if there is none. Return false if there is one. Raises `OSError`.

    If `equal` is a file with that content, the new one is a link to it, because a new file takes the system more time.
    """
    if isinstance(place, BucketPath):
        return place.opened().create(place.key, content)
    try:
        if isinstance(equal, Path) and _linked(equal, place):
            return True
        handle = _opened(place)
    except FileExistsError:
        return False
    try:
        os.write(handle, content)
    finally:
        os.close(handle)
    return True


def touch(place: Place, content: bytes, number: int) -> None:
    """Change the state of a small file or object of `content`; `number` is another one each time. Raises `OSError`."""
    if isinstance(place, BucketPath):
        place.opened().write(place.key, content + b"\n%d" % number)
    else:
        os.utime(place)


def observe(place: Place) -> tuple[str, bytes]:
    """Return what changes with a touch, and the content. Raises `OSError` if there is no such file or object."""
    if isinstance(place, BucketPath):
        found, content = place.opened().small(place.key)
        return f"{found.tag} {found.modified_ns}", content.partition(b"\n")[0]
    return str(place.stat().st_mtime_ns), place.read_bytes()


def remove(place: Place) -> None:
    """Delete a file or an object, if there is one. Raises `OSError` if it cannot be deleted."""
    if isinstance(place, BucketPath):
        place.opened().remove(place.key)
    else:
        place.unlink(missing_ok=True)


def names(folder: Place) -> Iterator[str]:
    """Yield the names of the files or objects in a folder. Raises `OSError`."""
    if isinstance(folder, BucketPath):
        yield from (key.rpartition("/")[2] for key, _ in folder.opened().objects(folder.key))
    else:
        yield from (path.name for path in folder.iterdir())


def remove_folder(folder: Place) -> None:
    """Delete a folder that is empty. Buckets have no folders."""
    if isinstance(folder, Path):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _linked(file: Path, path: Path) -> bool:
    """Make a link to a file. Return false if it is gone, or if the file system has no links."""
    try:
        os.link(file, path)
    except FileExistsError:
        raise
    except OSError:
        return False
    return True


def _opened(path: Path) -> int:
    while True:
        try:
            return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileNotFoundError:  # the first one, or another process has just removed the empty folder
            path.parent.mkdir(parents=True, exist_ok=True)
