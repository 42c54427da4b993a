from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.service.object_store import ObjectStore
from tests.service.postgres import PostgresServer

from upconv.runtime.errors import ParameterError
from upconv.service.errors import StorageError
from upconv.service.jobs import s3_files
from upconv.service.jobs.job import Job
from upconv.service.jobs.s3_files import S3Files
from upconv.service.parameters import UpscaleQuery

KEY = "0123456789abcdef"


class Trouble(ThreadingHTTPServer):
    """A server of S3 that answers with the errors given, and then with success."""

    def __init__(self, *codes: str) -> None:
        super().__init__(("127.0.0.1", 0), TroubleHandler)
        self.codes = list(codes)
        self.requests = 0


class TroubleHandler(BaseHTTPRequestHandler):
    server: Trouble

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["content-length"] or 0))
        self.server.requests += 1
        status, _, code = (self.server.codes.pop(0) if self.server.codes else "200 ").partition(" ")
        body = f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode() if code else b""
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_PUT()

    def do_DELETE(self) -> None:
        self.do_PUT()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def trouble(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trouble]:
    with Trouble(*request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        for name, value in {
            "ENDPOINT_URL_S3": address,
            "DEFAULT_REGION": "us-east-1",
            "ACCESS_KEY_ID": "id",
            "SECRET_ACCESS_KEY": KEY,
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def files() -> Iterator[S3Files]:
    files = S3Files("s3://jobs/a/b")
    yield files
    files.close()


@pytest.mark.parametrize(
    ("trouble", "message", "requests"),
    [
        (["403 AccessDenied"], "it answers 403 AccessDenied, so allow the key of the service to list the bucket", 1),
        (["403 InvalidAccessKeyId"], "it answers 403 InvalidAccessKeyId", 1),
        (["404 NoSuchBucket"], "it answers 404 NoSuchBucket, so create the bucket or correct jobs_spool", 1),
        (["503 SlowDown"] * 3, None, 4),
        (["503 SlowDown"] * 4, "it answers 503 SlowDown, after four attempts", 4),
        (["500 InternalError"], None, 2),
    ],
    indirect=["trouble"],
)
def test_trouble_is_one_clear_sentence_and_is_retried_where_that_helps(
    trouble: Trouble, files: S3Files, message: str | None, requests: int
) -> None:
    if message is None:
        files.write("a.in", b"data")
    else:
        with pytest.raises(StorageError) as failed:
            files.write("a.in", b"data")
        text = str(failed.value)
        assert text.startswith(f"the bucket 'jobs' of jobs cannot be used at the moment: {message}")
        assert text.endswith("; try again in 10 s")
        assert KEY not in text
    assert trouble.requests == requests


@pytest.mark.parametrize("trouble", [["403 AccessDenied"] * 4], indirect=True)
def test_each_request_is_translated(trouble: Trouble, files: S3Files) -> None:
    for request in (files.check, lambda: files.read("a.in"), lambda: files.remove("a.in"), lambda: files.remove_strays((), 1)):
        with pytest.raises(StorageError, match="403 AccessDenied"):
            request()
    assert files.url("a.in", "image/png").startswith(f"http://127.0.0.1:{trouble.server_port}/jobs/a/b/a.in?")


@pytest.mark.parametrize("trouble", [[]], indirect=True)
def test_a_server_that_is_gone(trouble: Trouble, files: S3Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match="Could not connect to the endpoint URL"):
        files.check()


@pytest.mark.parametrize("url", ["s3://", "s3:///prefix", "s3://id:secret@bucket/a", "s3://bucket/a?b", "s3://bucket/#a"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(ParameterError, match="expected s3://BUCKET/PREFIX") as refused:
        S3Files(url)
    assert "secret" not in str(refused.value)


def test_strays_of_all_pages(bucket: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, prefix = S3Files(f"s3://jobs/{tmp_path.name}"), f"{tmp_path.name}/"
    own = ["kept.in", "kept.2.out", "stray.in", "stray.1.out"]
    foreign = ["stray.txt", "stray.in.part", "other/stray.in"]
    for name in (*own, *foreign):
        files.write(name, b"data")
    bucket.client.put_object(Bucket="jobs", Key=f"{tmp_path.name}-other/stray.in", Body=b"data")
    files.remove_strays({"kept"}, 0)
    assert len(bucket.names(prefix)) == 7, "young ones stay for ten minutes"

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=601)

    monkeypatch.setattr(s3_files, "datetime", Later)
    monkeypatch.setattr(s3_files, "_PAGE", 2)
    files.remove_strays({"kept"}, 700)
    assert len(bucket.names(prefix)) == 7
    files.remove_strays({"kept"}, 0)
    assert sorted(bucket.names(prefix)) == sorted(f"{prefix}{name}" for name in (*own[:2], *foreign))
    assert bucket.names(f"{tmp_path.name}-other/") == [f"{tmp_path.name}-other/stray.in"]
    files.close()


@pytest.mark.parametrize("trouble", [["503 SlowDown"] * 999], indirect=True)
def test_a_busy_bucket_is_told_and_costs_no_pictures(
    trouble: Trouble,
    client_with: Callable[..., Any],
    postgres: PostgresServer,
    encoded: Callable[..., bytes],
    wait_until: Callable[..., None],
) -> None:
    with client_with(jobs_store=postgres.url(), jobs_spool="s3://jobs") as client:
        client.state.jobs.storage.store.add(Job("a", "", UpscaleQuery(), "f", 1, 1.0, due=4e9, state="failed"))
        assert client.delete("/v1/jobs/a").status_code == 204, "its files are strays later"
        wait_until(lambda: "spool" in {each["task"] for each in client.get("/readyz").json()["failing"]})
        answer = client.post("/v1/jobs", content=encoded())
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#no-storage", "10")
        assert "the bucket 'jobs' of jobs cannot be used at the moment: it answers 503 SlowDown" in answer.json()["detail"]
        trouble.codes.clear()
        wait_until(lambda: client.get("/readyz").json()["failing"] == [])
        assert client.post("/v1/upscale", content=encoded()).status_code == 200
