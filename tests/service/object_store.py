"""An S3 server of the tests: moto, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import botocore.client


class ObjectStore:
    """A server of S3 with the bucket `jobs`, and what programs need in their environment to use it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.environment = {
            "AWS_ENDPOINT_URL_S3": address,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
        self.client: Any = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=botocore.client.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        self.client.create_bucket(Bucket="jobs")

    def names(self, prefix: str = "") -> list[str]:
        """Return the keys of all objects whose keys begin with `prefix`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="jobs", Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server that runs until the end of the block."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "Running on" in line)
        store = ObjectStore(address)
        try:
            yield store
        finally:
            store.client.close()
            server.terminate()
