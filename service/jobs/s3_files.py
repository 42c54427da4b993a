"""The files of jobs in a bucket of S3, or of a server with the same interface.

Keys, region and endpoint come from the environment, as for all programs that use boto3: AWS_ACCESS_KEY_ID, AWS_REGION,
AWS_ENDPOINT_URL_S3, a profile, or the role of the machine.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from upconv.runtime.errors import ParameterError, first_line
from upconv.service.errors import StorageError
from upconv.service.jobs.job_files import FileChunks, id_of

URL_S = 300
"""Seconds for which a signed URL is valid."""

_RETRY_S = 10
_ATTEMPTS = 4
_AT_ONCE = 32
_PAGE = 1000
"""Objects of one listing, which is also the most that one request deletes."""
_MISSING = ("NoSuchKey", "404")
_YOUNGEST_S = 600.0
"""Seconds for which a stray stays at least, because the clocks of the bucket and the service may differ."""


class S3Files:
    """Objects whose keys begin with the same prefix."""

    def __init__(self, url: str) -> None:
        """Raise `ParameterError` if `url` is not s3://BUCKET/PREFIX. The bucket is not asked yet."""
        parts = urlsplit(url)
        if not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
            raise ParameterError(
                "the setting jobs_spool is not a bucket; expected s3://BUCKET/PREFIX, with the keys in AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            )
        prefix = parts.path.strip("/")
        self._bucket, self._prefix = parts.netloc, f"{prefix}/" if prefix else ""

    @cached_property
    def _client(self) -> Any:
        retries = {"mode": "standard", "total_max_attempts": _ATTEMPTS}
        return boto3.session.Session().client(
            "s3", config=Config(retries=retries, connect_timeout=5, read_timeout=20, max_pool_connections=_AT_ONCE)
        )

    def write(self, name: str, data: bytes) -> None:
        """Write an object. Others see it whole or not at all."""
        with self._translated(name):
            self._client.put_object(**self._of(name), Body=data)

    def read(self, name: str) -> bytes:
        """Return the content of an object."""
        return b"".join(self.chunks(name))

    def chunks(self, name: str, start: int = 0, stop: int | None = None) -> FileChunks:
        """Open an object, and return the parts of its content from byte `start` to before `stop`."""
        part = {} if start == 0 and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        with self._translated(name):
            body = self._client.get_object(**self._of(name), **part)["Body"]

        def read(bytes: int) -> Any:
            with self._translated(name):
                return body.read(bytes)

        return FileChunks(read, body.close)

    def exists(self, name: str) -> bool:
        """Return true if there is an object of this name."""
        try:
            with self._translated(name):
                self._client.head_object(**self._of(name))
        except FileNotFoundError:
            return False
        return True

    def remove(self, *names: str) -> None:
        """Delete objects. Those that do not exist are left out."""
        for name in names:
            with self._translated(name):
                self._client.delete_object(**self._of(name))

    def remove_strays(self, known: Collection[str], age_s: float) -> None:
        """Delete objects of jobs that are not `known`, by id, and are older than `age_s` seconds, and than ten minutes."""
        before = datetime.now(UTC) - timedelta(seconds=max(age_s, _YOUNGEST_S))
        with self._translated("strays"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix, PaginationConfig={"PageSize": _PAGE}
            )
            for page in pages:
                keys = [each["Key"] for each in page.get("Contents", ()) if each["LastModified"] < before]
                strays = [{"Key": key} for key in keys if self._is_own(key) and id_of(self._name(key)) not in known]
                if strays:
                    self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": strays, "Quiet": True})

    def free_bytes(self) -> None:
        """Return `None`, because a bucket sets no limit."""

    def path(self, name: str) -> None:
        """Return `None`, because objects have no path."""

    def url(self, name: str, media_type: str) -> str:
        """Return a URL under which anyone can get an object for five minutes."""
        parameters = {**self._of(name), "ResponseContentType": media_type, "ResponseCacheControl": "private, no-cache"}
        with self._translated(name):
            return str(self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=URL_S))

    def check(self) -> None:
        """Raise `StorageError` if objects cannot be read at the moment."""
        with self._translated("check"):
            self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

    def close(self) -> None:
        """Close the connections to the bucket."""
        if "_client" in self.__dict__:
            self._client.close()

    def _of(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{name}"}

    def _name(self, key: str) -> str:
        return key.removeprefix(self._prefix)

    def _is_own(self, key: str) -> bool:
        """Return true if the key looks like that of a job: other objects under the prefix are left alone."""
        return "/" not in self._name(key) and key.endswith((".in", ".out"))

    @contextmanager
    def _translated(self, name: str) -> Iterator[None]:
        """Raise `FileNotFoundError` for a missing object, and `StorageError` for all other failures of the bucket."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in _MISSING:
                raise FileNotFoundError(errno.ENOENT, "there is no such object", name) from None
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            raise self._trouble(f"it answers {status} {code}{_REMEDIES.get(status, '')}") from None
        except BotoCoreError as error:
            raise self._trouble(first_line(error)) from None

    def _trouble(self, reason: str) -> StorageError:
        return StorageError(
            f"the bucket {self._bucket!r} of jobs cannot be used at the moment: {reason}; try again in {_RETRY_S} s", _RETRY_S
        )


_REMEDIES = {
    403: ", so allow the key of the service to list the bucket and to get, put and delete its objects",
    404: ", so create the bucket or correct jobs_spool",
    503: ", after four attempts",
}
