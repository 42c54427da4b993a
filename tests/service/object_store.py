"""An S3 server of the tests: moto, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.client


class ObjectStore:
    """A server of S3 with the bucket `jobs`, and what programs need in their environment to use it."""

    def __init__(self, address: str, log: Path) -> None:
        self.address, self._log = address, log
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

    @property
    def requests(self) -> int:
        """The number of requests so far."""
        return sum(" HTTP/1.1" in line for line in self._log.read_text().splitlines())

    def names(self, prefix: str = "") -> list[str]:
        """Return the keys of all objects whose keys begin with `prefix`."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="jobs", Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A server that runs until the end of the block."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    # A pipe that nobody reads would stop the server after a few hundred requests, each of which it logs.
    with tempfile.NamedTemporaryFile("w") as log, subprocess.Popen(command, stderr=log) as server:
        store = ObjectStore(_address(Path(log.name), server), Path(log.name))
        try:
            yield store
        finally:
            store.client.close()
            server.terminate()


def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
    while server.poll() is None:
        for line in log.read_text().splitlines():
            if "Running on" in line and line.endswith(tuple("0123456789")):
                return line.split()[-1]
        time.sleep(0.02)
    raise RuntimeError(f"the server of S3 ended: {log.read_text()}")
