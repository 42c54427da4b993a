"""A bucket of S3, Google Cloud Storage or Azure, by the library obstore.

Keys, region and endpoint come from the environment (AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL_S3; GOOGLE_APPLICATION_CREDENTIALS;
AZURE_STORAGE_ACCOUNT_NAME and _KEY) or from the role of the machine. The library tries again after a status of 429 or 5xx and after
a lost connection.

All failures are `OSError`s whose `strerror` is a phrase for users, as those of the file system are.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from upconv.runtime.errors import ParameterError, first_line
from upconv.runtime.install_hints import install_command

RECORD = "upconv"
"""The name of the metadata of an object that hold the record of a result."""
RETRIES, RETRY_S = 6, 60.0
"""The most tries after the first one, and the seconds in which they begin."""
_CONNECT_S, _ANSWER_S = 10.0, 120.0
_PAGE = 1000


@dataclass(frozen=True)
class ObjectState:
    """One version of an object, as a listing states it."""

    size: int
    """In bytes."""
    modified_ns: int
    """Whole seconds since 1970 in nanoseconds, by the clock of the bucket."""
    tag: str
    """The entity tag, without quotes."""


@dataclass(frozen=True)
class StoredObject:
    """An object as the bucket describes it."""

    state: ObjectState
    record: str | None = None
    """The record of a result; `None` if upconv did not write the object."""


@dataclass(frozen=True)
class ObjectFolder:
    """The objects and folders in one folder of a bucket."""

    objects: Mapping[str, ObjectState]
    """The state of each object by its name."""
    folders: tuple[str, ...]
    """The names of the folders."""


@cache
def bucket_of(url: str) -> Bucket:
    """Return the bucket of a URL such as s3://name, which all threads of this process share.

    Raises `ParameterError` if the library is missing, or if the environment holds what it cannot use.
    """
    return Bucket(url)


class Bucket:
    """One bucket. Any number of threads may use it."""

    def __init__(self, url: str) -> None:
        """Prepare the use of a bucket, which is not asked yet. Raises `ParameterError` as `bucket_of` does."""
        try:
            from obstore import store
        except ImportError as error:
            raise ParameterError(f"{url} is a bucket, which needs the package obstore; {install_command('buckets')}") from error
        self.url = url
        opened: Any = store.from_url
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
        options: dict[str, Any] = {"timeout": timedelta(seconds=_ANSWER_S), "connect_timeout": timedelta(seconds=_CONNECT_S)}
        own: dict[str, Any] = {}
        if url.startswith("s3://") and endpoint:
            own["endpoint"] = endpoint
            options["allow_http"] = endpoint.startswith("http://")
        retries: Any = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_S)}
        try:
            self._store: Any = opened(url, client_options=options, retry_config=retries, **own)
        except Exception as error:  # the library raises several unrelated types
            raise ParameterError(f"{url} cannot be used: {first_line(error)}") from error

    def read(self, key: str, limit: int) -> tuple[bytes, int]:
        """Return at most `limit` bytes of an object, all of one version, and its size in bytes."""
        with self._translated():
            found = self._store.get(key)
            size = int(found.meta["size"])
            if size <= limit:
                return bytes(found.bytes()), size
        return self.start(key, limit), size

    def start(self, key: str, length: int) -> bytes:
        """Return the first bytes of an object, at least one of which exists."""
        with self._translated():
            return bytes(self._store.get_range(key, start=0, length=length))

    def write(self, key: str, data: bytes, record: str | None = None, media_type: str | None = None) -> None:
        """Write an object. Others see it whole or not at all, and with its record."""
        attributes = {**({RECORD: record} if record else {}), **({"Content-Type": media_type} if media_type else {})}
        with self._translated():
            self._store.put(key, data, attributes=attributes or None)

    def create(self, key: str, data: bytes) -> bool:
        """Write an object if there is none of this key. Return false if there is one."""
        try:
            with self._translated():
                self._store.put(key, data, mode="create", use_multipart=False)
        except FileExistsError:
            return False
        return True

    def head(self, key: str) -> StoredObject:
        """Return the state and the record of an object."""
        with self._translated():
            found = self._store.get(key, options={"head": True})
            return StoredObject(_state(found.meta), found.attributes.get(RECORD))

    def small(self, key: str) -> tuple[ObjectState, bytes]:
        """Return the state and the content of a small object."""
        with self._translated():
            found = self._store.get(key)
            return _state(found.meta), bytes(found.bytes())

    def remove(self, key: str) -> None:
        """Delete an object, if there is one."""
        try:
            with self._translated():
                self._store.delete(key)
        except FileNotFoundError:
            return

    def has_any(self, folder: str) -> bool:
        """Return true if there is an object in a folder, even if its key cannot be used."""
        try:
            return next(self.objects(folder, page=2), None) is not None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return True
            raise

    def objects(self, folder: str, *, page: int = _PAGE) -> Iterator[tuple[str, ObjectState]]:
        """Yield the keys and states of all objects in a folder and those below it, one page in memory at a time."""
        with self._translated():
            pages = iter(self._store.list(folder or None, chunk_size=page))
        prefix = f"{folder}/" if folder else ""
        while True:
            with self._translated():
                entries = next(pages, None)
            if entries is None:
                return
            yield from ((entry["path"], _state(entry)) for entry in entries if entry["path"].startswith(prefix))

    def folder(self, folder: str) -> ObjectFolder:
        """Return the objects and folders in one folder. An object whose key ends in a slash is a sign of a folder, and left out."""
        with self._translated():
            found = self._store.list_with_delimiter(folder or None)
        start = len(folder) + 1 if folder else 0
        folders = tuple(name for path in found["common_prefixes"] if (name := path[start:]))
        objects = {name: _state(each) for each in found["objects"] if (name := each["path"][start:])}
        return ObjectFolder(objects, folders)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            if _names_missing_bucket(str(error)):
                raise self._missing() from None
            raise FileNotFoundError(errno.ENOENT, "there is no such object") from None
        except Exception as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> OSError:
        from obstore import exceptions

        text = str(error)
        if isinstance(error, UnicodeError):
            return OSError(errno.EINVAL, "the name is not UTF-8, which keys in buckets must be; rename the file")
        if isinstance(error, ValueError) and "parse path" in text:
            return OSError(errno.EINVAL, "keys in buckets cannot have its control characters; rename the file")
        if isinstance(error, exceptions.AlreadyExistsError):
            return FileExistsError(errno.EEXIST, "the object exists")
        if _names_missing_bucket(text):
            return self._missing()
        if isinstance(error, exceptions.InvalidPathError):
            found = re.search(r'path "(.*?)"|Path "(.*?)"', text)
            named = f" {found[1] or found[2]!r}" if found else ""
            return OSError(
                errno.EINVAL, f"the bucket {self.url} has the key{named}, with an empty part, . or .., which cannot be used"
            )
        status = re.search(r"status code: (\d{3})|: (\d{3}) [A-Z]", text)
        number = (status[1] or status[2]) if status else ""
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError) or number in ("401", "403"):
            return PermissionError(
                errno.EACCES,
                f"the bucket {self.url} answers {number or 403}{_code(text)}; allow the key to list it and to get, put and delete its objects",
            )
        if number:
            tries = f" after {RETRIES + 1} tries" if number.startswith("5") or number == "429" else ""
            return OSError(errno.EIO, f"the bucket {self.url} answers {number}{_code(text)}{tries}; try again later")
        return OSError(errno.EIO, f"the bucket {self.url} cannot be reached: {first_line(error)}")

    def _missing(self) -> OSError:
        return OSError(errno.ENXIO, f"the bucket {self.url} does not exist; create it or correct its name")


def _state(entry: Any) -> ObjectState:
    # Listings state parts of a second and no quotes at some servers, where the answer for one object does otherwise.
    modified_s = int(entry["last_modified"].timestamp())
    return ObjectState(int(entry["size"]), modified_s * 1_000_000_000, (entry.get("e_tag") or "").strip('"'))


def _names_missing_bucket(text: str) -> bool:
    return "NoSuchBucket" in text or "ContainerNotFound" in text or "The specified bucket does not exist" in text


def _code(text: str) -> str:
    found = re.search(r"<Code>(\w+)</Code>", text)
    return f" {found[1]}" if found else ""
