"""Results that the service passes on from S3. Those in a folder are in test_jobs.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.jobs.conftest import bucket_server, postgres
from tests.service.object_store import ObjectStore
from tests.service.postgres import PostgresServer

from upconv.service.client import Client

__all__ = ["bucket_server", "postgres"]


@pytest.fixture(scope="module")
def own(
    running: Callable[..., Any],
    nearest_x2: Path,
    postgres: PostgresServer,
    bucket_server: ObjectStore,
) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket_server.environment.items():
            patch.setenv(name, value)
        shared = {"jobs_store": postgres.url(), "jobs_spool": "s3://jobs/results"}
        with running(models=(nearest_x2,), workers=1, **shared) as service:
            yield service


@pytest.fixture
def result(own: Any, encoded: Callable[..., bytes], wait_until: Callable[..., None]) -> tuple[str, bytes]:
    """The path of a result, and its bytes."""
    id = own.post("/v1/jobs", content=encoded(), params={"format": "png"}).json()["id"]
    wait_until(lambda: own.get(f"/v1/jobs/{id}").json()["state"] == "done")
    expected = own.post("/v1/upscale", content=encoded(), params={"format": "png"})
    return f"/v1/jobs/{id}/result", expected.content


def test_whole(own: Any, result: tuple[str, bytes]) -> None:
    path, expected = result
    answer = own.get(path)
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, expected, "image/png")
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["x-upconv-model"] == "nearest-x2-test"
    assert own.head(path).headers["content-length"] == str(len(expected))
    assert own.get(path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304


@pytest.mark.parametrize(
    ("range", "start", "stop"),
    [("bytes=10-19", 10, 20), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=0-99999999", 0, None)],
)
def test_a_range(own: Any, result: tuple[str, bytes], range: str, start: int, stop: int | None) -> None:
    path, expected = result
    answer = own.get(path, headers={"Range": range})
    assert (answer.status_code, answer.content) == (206, expected[start:stop])
    first = start % len(expected)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(expected)}"


@pytest.mark.parametrize("range", ["bytes=0-1,3-4", "bytes=6-5", "pages=1-2", "bytes=a-b"])
def test_other_ranges_are_ignored(own: Any, result: tuple[str, bytes], range: str) -> None:
    answer = own.get(result[0], headers={"Range": range})
    assert (answer.status_code, answer.content) == (200, result[1])


def test_a_range_beyond_the_end(own: Any, result: tuple[str, bytes]) -> None:
    path, size = result[0], len(result[1])
    assert own.get(path, headers={"Range": f"bytes={size - 1}-"}).content == result[1][-1:]
    for range in (f"bytes={size}-", "bytes=-0"):
        answer = own.get(path, headers={"Range": range})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")
        assert answer.json()["detail"].endswith(f"ask for bytes from 0 to {size - 1}")


def test_a_range_of_another_version(own: Any, result: tuple[str, bytes]) -> None:
    etag = own.get(result[0]).headers["etag"]
    for given, status in ((etag, 206), ('"other"', 200)):
        assert own.get(result[0], headers={"Range": "bytes=1-2", "If-Range": given}).status_code == status


def test_a_result_that_is_gone(own: Any, result: tuple[str, bytes], bucket_server: ObjectStore) -> None:
    id = result[0].split("/")[3]
    for key in bucket_server.names(f"results/{id}"):
        bucket_server.client.delete_object(Bucket="jobs", Key=key)
    answer = own.get(result[0])
    assert (answer.status_code, answer.json()["type"]) == (404, "/docs#unknown-job")


def test_a_signed_url(own: Any, result: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    settings = own.state.settings.model_copy(update={"jobs_presign": True})
    monkeypatch.setattr(own.state, "settings", settings)
    answer = own.get(result[0])
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store")
    signed = httpx.get(answer.headers["location"])
    assert (signed.content, signed.headers["content-type"]) == (result[1], "image/png")
    with Client(str(own.base_url), "key-of-the-service") as client:
        upscaled = client.wait(result[0].split("/")[3])
    assert (upscaled.data, upscaled.media_type, upscaled.model) == (result[1], "image/png", "nearest-x2-test")
    assert upscaled.etag == answer.headers["etag"]
