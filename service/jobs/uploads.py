"""Uploads: the result of a job is sent to the URL that its client gave, such as a presigned URL of S3.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html
"""

from __future__ import annotations

from contextlib import closing

import anyio
import httpcore
from anyio import to_thread

from upconv.service.jobs.deliveries import DeliveryError
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import each_chunk, result_name
from upconv.service.jobs.storage import JobStorage

LONGEST_S = 600.0
"""Seconds that one attempt may take."""

_SPARE_S = 60.0


class Uploads:
    """Sends results by PUT: a channel of `Deliveries`."""

    name = "upload"

    def __init__(self, storage: JobStorage, stall_s: float) -> None:
        """A host must take each 256 KiB within `stall_s` seconds."""
        self._storage, self._stall_s = storage, stall_s

    def due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs whose result is to be sent."""
        return self._storage.store.uploads_due(now, limit, LONGEST_S + _SPARE_S)

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
            chunks = await to_thread.run_sync(self._storage.files.chunks, result_name(job))
        except FileNotFoundError as error:
            raise DeliveryError("the result is gone", final=True) from error
        times = dict.fromkeys(("connect", "read", "write", "pool"), self._stall_s)
        with anyio.fail_after(LONGEST_S), closing(chunks):
            async with pool.stream(
                "PUT", self.url(job), headers=list(headers.items()), content=each_chunk(chunks), extensions={"timeout": times}
            ) as response:
                return int(response.status)

    def note(self, job: Job, error: str | None, due: float | None) -> None:
        """Store an attempt."""
        self._storage.store.upload_tried(job, error, due)
