"""The place of an object in a bucket, with the part of the interface of `pathlib.Path` that folders of pictures need.

Keys are taken as they are written: `%20` and `+` in a URL stand for themselves, as in the commands of the clouds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePath, PurePosixPath

from upconv.runtime.buckets.bucket import Bucket, ObjectState, StoredObject, bucket_of
from upconv.runtime.errors import ImageError, ParameterError

_URL = re.compile(r"(s3|gs|az)://([^/]*)/?(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")


@dataclass(frozen=True)
class BucketPath:
    """A place in a bucket: that of an object, or of all objects whose keys begin with `key` and a slash."""

    bucket: str
    """The URL of the bucket, such as s3://name."""
    key: str = ""
    """The key without slashes at its ends. Empty: the whole bucket."""
    state: ObjectState | None = field(default=None, compare=False)
    """What a listing said about the object. `None`: it was not in a listing."""

    @classmethod
    def parse(cls, text: str) -> BucketPath | None:
        """Return the place that a URL names; `None` if the text is no URL of a bucket. Raises `ParameterError` if it names none."""
        found = _URL.fullmatch(text)
        if found is None:
            return None
        scheme, bucket, key = found.groups()
        if not _BUCKET.fullmatch(bucket):
            raise ParameterError(f"{text} names no bucket; expected a URL such as {scheme}://BUCKET/FOLDER")
        key = key.strip("/")
        if any(part in ("", ".", "..") for part in key.split("/")) and key:
            raise ParameterError(f"{text} has an empty part, . or .., which is not possible in a bucket")
        return cls(f"{scheme}://{bucket}", key)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """The suffix of the name, such as .png."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> BucketPath:
        """The folder of the object."""
        return BucketPath(self.bucket, self.key.rpartition("/")[0])

    @property
    def parts(self) -> tuple[str, ...]:
        """The URL of the bucket and the parts of the key."""
        return (self.bucket, *self.key.split("/")) if self.key else (self.bucket,)

    def joinpath(self, *parts: str | PurePath) -> BucketPath:
        """Return the place with these parts at the end."""
        inside = [text for text in (part if isinstance(part, str) else part.as_posix() for part in parts) if text != "."]
        return BucketPath(self.bucket, "/".join([*([self.key] if self.key else []), *inside]))

    def __truediv__(self, part: str | PurePath) -> BucketPath:
        return self.joinpath(part)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    def relative_to(self, folder: BucketPath) -> PurePosixPath:
        """Return the part of the key after that of `folder`."""
        return PurePosixPath(self.key).relative_to(folder.key) if folder.key else PurePosixPath(self.key)

    def is_absolute(self) -> bool:
        """Return true."""
        return True

    def opened(self) -> Bucket:
        """Return the bucket. Raises `ParameterError` if the library for buckets is missing."""
        return bucket_of(self.bucket)

    def head(self) -> StoredObject:
        """Return the state and the record of the object. Raises `FileNotFoundError` if there is none, or `OSError`."""
        return self.opened().head(self.key)

    def located(self) -> BucketPath:
        """Return the place with the state of the object. Raises `ImageError` if there is none, or it cannot be read."""
        with self._reading():
            return self if self.state is not None else replace(self, state=self.head().state)

    def is_file(self) -> bool:
        """Return true if there is an object of this key. Raises `ImageError` if the bucket cannot be used."""
        with self._reading():
            try:
                return bool(self.key) and self.head() is not None
            except FileNotFoundError:
                return False

    def is_dir(self) -> bool:
        """Return true if there is an object in the folder of this key. Raises `ImageError` if the bucket cannot be used."""
        with self._reading():
            return self.opened().has_any(self.key)

    def exists(self) -> bool:
        """Return true if there is an object or a folder of this key. Raises `ImageError` if the bucket cannot be used."""
        return self.is_file() or self.is_dir()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ImageError(f"cannot read {self}: {error.strerror}") from error
