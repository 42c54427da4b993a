"""A folder in a bucket of a server of moto, for tests."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from upconv.runtime.buckets import BucketPath
from upconv.runtime.buckets.bucket import Bucket

if TYPE_CHECKING:
    from tests.service.object_store import ObjectStore

needs_obstore = pytest.mark.skipif(find_spec("obstore") is None, reason="obstore is not installed")


class BucketFolder:
    """An empty folder in a bucket."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.place = BucketPath("s3://jobs", f"test-{uuid4().hex}")

    @property
    def bucket(self) -> Bucket:
        """Return the bucket."""
        return self.place.opened()

    def put(self, name: str, data: bytes) -> None:
        """Write an object as another program does it."""
        self.store.client.put_object(Bucket="jobs", Key=f"{self.place.key}/{name}", Body=data)

    def keys(self, folder: str = "") -> list[str]:
        """Return the names of all objects in the folder, without that of the folder."""
        prefix = f"{self.place.key}/{folder}"
        return [key.removeprefix(prefix) for key in self.store.names(prefix)]
