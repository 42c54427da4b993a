from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.client
import httpx
import pytest
from tests.service.jobs.conftest import Receiver

from upconv.runtime import codecs
from upconv.service.errors import StorageError
from upconv.service.jobs import uploads
from upconv.service.jobs.folder import opened
from upconv.service.jobs.job import Job
from upconv.service.jobs.job_files import result_name
from upconv.service.jobs.storage import JobStorage

pytestmark = pytest.mark.usefixtures("short_pauses")

Wait = Callable[[Callable[[], bool]], None]
Count = Callable[[Any, str, str], int]
Encoded = Callable[..., bytes]

SECRET = "X-Amz-Signature=0123456789abcdef"


def submit(client: Any, url: str, picture: bytes, **options: str) -> Any:
    answer = client.post("/v1/jobs", params={"result_url": url, **options}, content=picture)
    assert answer.status_code == 202, answer.text
    return answer.json()


def stored(storage: JobStorage, id: str) -> Job:
    job = storage.store.get(id)
    assert job is not None
    return job


def delivery(client: Any, id: str) -> Any:
    return client.get(f"/v1/jobs/{id}").json()["delivery"]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of an S3 server with the bucket `results`."""
    with subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "Running on" in line)
        client = boto3.client(
            "s3",
            endpoint_url=address,
            region_name="us-east-1",
            aws_access_key_id="key",
            aws_secret_access_key="secret",
            config=botocore.client.Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        try:
            client.create_bucket(Bucket="results")
            yield client
        finally:
            client.close()
            server.terminate()


@pytest.mark.parametrize("format", ["png", "webp"])
def test_a_result_goes_to_a_presigned_url_of_s3(
    client_with: Callable[..., Any], encoded: Encoded, s3: Any, wait_until: Wait, count: Count, format: str
) -> None:
    put = {"Bucket": "results", "Key": f"a b/ü.{format}", "ContentType": f"image/{format}"}
    url = s3.generate_presigned_url("put_object", Params=put)
    assert "X-Amz-Signature=" in url
    with client_with(result_hosts=urlsplit(url).netloc) as client:
        id = submit(client, url, encoded(), format=format)["id"]
        wait_until(lambda: delivery(client, id)["state"] == "delivered")
        told, kept = delivery(client, id), client.get(f"/v1/jobs/{id}/result")
        assert (count(client, "uploads", "delivered"), count(client, "uploads", "failed")) == (1, 0)
    stored = s3.get_object(Bucket="results", Key=put["Key"])
    body = stored["Body"].read()
    assert (body, stored["ContentType"]) == (kept.content, f"image/{format}"), "the result stays available"
    assert codecs.decode(body).width == 40
    assert told["url"] == url.partition("?")[0]
    assert (told["attempts"], told["error"], told["next_attempt"]) == (1, None, None)
    assert abs(datetime.fromisoformat(told["delivered"]).timestamp() - time.time()) < 30


@pytest.mark.parametrize("receiver", [(500, 403, 200)], indirect=True)
def test_attempts_are_repeated_and_no_secret_is_shown(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Encoded,
    wait_until: Wait,
    count: Count,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"http://{receiver.address}/a?{SECRET}"
    with client_with(result_hosts=receiver.address, log_format="json", log_level="debug") as client:
        first = submit(client, url, encoded())
        wait_until(lambda: count(client, "uploads", "delivered") == 1)
        last = client.get(f"/v1/jobs/{first['id']}")
        result = client.get(last.json()["result"]["url"])
        assert client.state.jobs.storage.store.get(first["id"]).result_url == f"http://{receiver.address}/a"
        shown = [str(first), last.text, client.get("/metrics").text, client.get("/readyz").text]
    assert last.json()["delivery"] | {"delivered": ""} == {
        "url": f"http://{receiver.address}/a",
        "state": "delivered",
        "attempts": 3,
        "error": None,
        "delivered": "",
        "next_attempt": None,
    }
    assert receiver.lines == [f"PUT /a?{SECRET}"] * 3
    for headers, body in receiver.messages:
        assert body == result.content
        assert (headers["content-type"], headers["content-length"]) == ("image/png", str(len(body)))
        assert "transfer-encoding" not in headers, "S3 takes no chunks"
    log = capsys.readouterr()
    assert "the status was 403" in log.out + log.err
    assert not [text for text in (*shown, log.out, log.err) if "0123456789abcdef" in text]


@pytest.mark.parametrize(
    ("receiver", "attempts", "error"),
    [((403,), 3, "the status was 403"), ((307,), 3, "the status was 307"), ((410,), 1, "the status was 410")],
    indirect=["receiver"],
)
def test_a_result_that_nobody_takes_stays_available(
    client_with: Callable[..., Any], receiver: Receiver, encoded: Encoded, wait_until: Wait, attempts: int, error: str
) -> None:
    with client_with(result_hosts=receiver.address) as client:
        id = submit(client, f"http://{receiver.address}/", encoded())["id"]
        wait_until(lambda: delivery(client, id)["state"] == "failed")
        told = delivery(client, id)
        assert client.get(f"/v1/jobs/{id}/result").status_code == 200
    assert (told["attempts"], told["error"], told["delivered"], told["next_attempt"]) == (attempts, error, None, None)
    assert len(receiver.messages) == attempts


@pytest.mark.parametrize("error", [StorageError("the bucket is busy", 10), PermissionError(13, "Permission denied")])
def test_a_result_that_cannot_be_read_at_the_moment_is_sent_later(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Encoded,
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    with client_with(result_hosts=receiver.address) as client:
        files = client.state.jobs.storage.files
        open_file, failures = files.chunks, [error]

        def chunks(*arguments: Any) -> Any:
            if failures:
                raise failures.pop()
            return open_file(*arguments)

        monkeypatch.setattr(files, "chunks", chunks)
        id = submit(client, f"http://{receiver.address}/", encoded())["id"]
        wait_until(lambda: delivery(client, id)["state"] == "delivered")
        assert (delivery(client, id)["attempts"], client.get("/readyz").json()["failing"]) == (2, [])


def test_nothing_is_sent_for_a_job_that_fails(
    client_with: Callable[..., Any], receiver: Receiver, encoded: Encoded, wait_until: Wait
) -> None:
    with client_with(result_hosts=receiver.address) as client:
        job = submit(client, f"http://{receiver.address}/", encoded("png", 64, 64)[:-100])
        assert (job["delivery"]["state"], job["delivery"]["attempts"]) == ("waiting", 0)
        wait_until(lambda: client.get(f"/v1/jobs/{job['id']}").json()["state"] == "failed")
        assert (delivery(client, job["id"])["state"], delivery(client, job["id"])["attempts"]) == ("failed", 0)
        time.sleep(0.1)
    assert receiver.messages == []


def test_a_delivery_outlives_a_restart(
    client_with: Callable[..., Any], receiver: Receiver, encoded: Encoded, wait_until: Wait, tmp_path: Any
) -> None:
    url = f"http://{receiver.address}/"
    with client_with(jobs_dir=tmp_path, result_hosts="elsewhere.example," + receiver.address) as client:
        id = submit(client, url, encoded())["id"]
        wait_until(lambda: delivery(client, id)["state"] == "delivered")
    with opened(tmp_path) as storage:
        storage.store.upload_tried(stored(storage, id), "the process ended", 1.0)
    with client_with(jobs_dir=tmp_path, result_hosts=receiver.address) as client:
        wait_until(lambda: delivery(client, id)["state"] == "delivered")
    assert len(receiver.messages) == 2
    with opened(tmp_path) as storage:
        storage.store.upload_tried(stored(storage, id), "the process ended", 1.0)
        storage.files.remove(result_name(stored(storage, id)))
    with client_with(jobs_dir=tmp_path, result_hosts=receiver.address) as client:
        wait_until(lambda: delivery(client, id)["state"] == "failed")
        assert delivery(client, id)["error"] == "the result is gone"
    with opened(tmp_path) as storage:
        storage.store.upload_tried(stored(storage, id), "the process ended", 1.0)
    with client_with(jobs_dir=tmp_path, result_hosts="other.example") as client:
        wait_until(lambda: delivery(client, id)["state"] == "failed")
        assert "did not allow this one" in delivery(client, id)["error"]


@pytest.mark.parametrize(("networks", "state", "messages"), [("", "failed", 0), (",127.0.0.0/8,::1/128", "delivered", 1)])
def test_a_private_address_is_refused_unless_its_network_is_allowed(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Encoded,
    wait_until: Wait,
    networks: str,
    state: str,
    messages: int,
) -> None:
    name = f"localhost:{receiver.server_port}"
    with client_with(result_hosts=name + networks) as client:
        id = submit(client, f"http://{name}/", encoded())["id"]
        wait_until(lambda: delivery(client, id)["state"] == state)
        told = delivery(client, id)
    assert len(receiver.messages) == messages
    assert messages or "not a public address; allow its network by --result-hosts" in told["error"]


@pytest.mark.parametrize(
    ("hosts", "url", "status"),
    [
        ("", "https://bucket.example/", 422),
        ("bucket.example", "https://bucket.example/", 202),
        ("bucket.example", "https://other.example/", 422),
        ("https://bucket.example", "http://bucket.example/", 422),
        ("bucket.example", f"https://bucket.example/{'x' * (4000 - 23)}", 202),
        ("bucket.example", f"https://bucket.example/{'x' * (4000 - 22)}", 422),
    ],
)
def test_urls_are_checked_when_a_job_is_posted(
    client_with: Callable[..., Any], encoded: Encoded, hosts: str, url: str, status: int
) -> None:
    with client_with(result_hosts=hosts) as client:
        answer = client.post("/v1/jobs", params={"result_url": url}, content=encoded())
        assert (answer.status_code, answer.json().get("type")) == (status, "/docs#bad-parameter" if status == 422 else None)


def test_a_repeated_request_may_have_a_new_signature(
    client_with: Callable[..., Any], receiver: Receiver, encoded: Encoded
) -> None:
    def post(client: httpx.Client, path: str) -> httpx.Response:
        params = {"result_url": f"http://{receiver.address}{path}"}
        return client.post("/v1/jobs", params=params, content=encoded(), headers={"Idempotency-Key": "k"})

    with client_with(result_hosts=receiver.address) as client:
        first, again, other = post(client, "/a?s=1"), post(client, "/a?s=2"), post(client, "/b?s=1")
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert other.status_code == 409


def test_a_host_that_takes_too_long(
    client_with: Callable[..., Any],
    receiver: Receiver,
    encoded: Encoded,
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uploads, "LONGEST_S", 0.3)
    with client_with(result_hosts=receiver.address) as client:
        id = submit(client, f"http://{receiver.address}/hold", encoded())["id"]
        wait_until(lambda: delivery(client, id)["attempts"] == 1)
        assert delivery(client, id)["error"] == "the host did not take it in time"
        monkeypatch.setattr(uploads, "LONGEST_S", 20.0)
        receiver.held.set()
        wait_until(lambda: delivery(client, id)["state"] == "delivered")
