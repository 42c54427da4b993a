"""Uploads: the result of a job is sent to the URL that its client gave, such as a presigned URL of S3.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import httpcore

from upconv.service.jobs.deliveries import DeliveryError
from upconv.service.jobs.folder import JobFolder
from upconv.service.jobs.job import Job

LONGEST_S = 600.0
"""Seconds that one attempt may take."""

_CHUNK_BYTES = 1 << 18


class Uploads:
    """Sends results by PUT: a channel of `Deliveries`."""

    name = "upload"

    def __init__(self, folder: JobFolder, stall_s: float) -> None:
        """A host must take each 256 KiB within `stall_s` seconds."""
        self._folder, self._stall_s = folder, stall_s

    def due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs whose result is to be sent."""
        return self._folder.store.uploads_due(now, limit)

    def url(self, job: Job) -> str:
        """Return the URL that takes the result."""
        return job.result_url or ""

    def tries(self, job: Job) -> int:
        """Return the number of attempts so far."""
        return job.upload_tries

    async def send(self, pool: httpcore.AsyncConnectionPool, job: Job) -> int:
        """Send the result of a job, and return the status of the answer.

        The Content-Type is that of the result, because a presigned URL may be valid for one type only.
        """
        headers = {
            "content-type": job.result["Content-Type"],
            "content-length": str(job.bytes_out),
            "user-agent": "upconv",
        }
        try:
            file = await anyio.open_file(self._folder.result(job.id), "rb")
        except FileNotFoundError as error:
            raise DeliveryError("the result is gone", final=True) from error
        times = dict.fromkeys(("connect", "read", "write", "pool"), self._stall_s)
        with anyio.fail_after(LONGEST_S):
            async with (
                file,
                pool.stream(
                    "PUT", self.url(job), headers=list(headers.items()), content=_chunks(file), extensions={"timeout": times}
                ) as response,
            ):
                return int(response.status)

    def note(self, job: Job, error: str | None, due: float | None) -> None:
        """Store an attempt."""
        self._folder.store.upload_tried(job.id, error, due)


async def _chunks(file: anyio.AsyncFile[bytes]) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK_BYTES):
        yield chunk
