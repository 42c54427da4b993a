from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from upconv.runtime import codecs

Encoded = Callable[..., bytes]
Wait = Callable[[Callable[[], bool]], None]


def submit(client: httpx.Client, body: bytes, query: str = "", **headers: str) -> dict[str, Any]:
    answer = client.post(f"/v1/jobs{query}", content=body, headers=headers)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert int(answer.headers["retry-after"]) >= 1
    return job


def ended(client: httpx.Client, id: str, wait_until: Wait) -> dict[str, Any]:
    def over() -> bool:
        return client.get(f"/v1/jobs/{id}").json()["state"] in ("done", "failed")

    wait_until(over)
    job: dict[str, Any] = client.get(f"/v1/jobs/{id}").json()
    return job


def events(client: httpx.Client, id: str) -> list[tuple[str, dict[str, Any]]]:
    with client.stream("GET", f"/v1/jobs/{id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(answer.iter_text()).split("\n\n")
    pairs = [block.split("\n") for block in blocks if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in pairs]


def test_from_submission_to_result(service: Any, encoded: Encoded, wait_until: Wait) -> None:
    id = submit(service, encoded("jpeg"), "?scale=3&format=png")["id"]
    job = ended(service, id, wait_until)
    assert (job["state"], job["error"], job["ahead"]) == ("done", None, 0)
    assert job["expires"] > job["finished"] > job["created"]
    answer = service.get(job["result"]["url"])
    assert (answer.status_code, answer.headers["content-type"], len(answer.content)) == (
        200,
        "image/png",
        job["result"]["bytes"],
    )
    assert hashlib.sha256(answer.content).hexdigest() == job["result"]["sha256"]
    assert answer.headers["x-upconv-model"] == "nearest-x2-test"
    tiles = int(answer.headers["x-upconv-tiles"])
    assert job["progress"] == {"done": tiles, "total": tiles}
    direct = service.post("/v1/upscale?scale=3&format=png", content=encoded("jpeg"))
    assert answer.content == direct.content
    picture = codecs.decode(answer.content)
    assert (picture.width, picture.height) == (60, 36)
    assert service.state.jobs.folder.picture(id).exists() is False, "what is done needs its picture no longer"


def test_ranges(service: Any, encoded: Encoded, wait_until: Wait) -> None:
    job = ended(service, submit(service, encoded())["id"], wait_until)
    url = job["result"]["url"]
    whole = service.get(url)
    assert (whole.headers["accept-ranges"], whole.headers["etag"]) == ("bytes", f'"{job["result"]["sha256"]}"')
    part = service.get(url, headers={"Range": "bytes=10-19", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        whole.content[10:20],
        f"bytes 10-19/{len(whole.content)}",
    )
    last = len(whole.content) - 1
    assert service.get(url, headers={"Range": f"bytes={last}-"}).content == whole.content[last:]
    beyond = service.get(url, headers={"Range": f"bytes={last + 1}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{last + 1}")
    assert beyond.headers["content-type"] == "application/problem+json"
    assert f"from 0 to {last}" in beyond.json()["detail"]
    for invalid in ("bytes=6-5", "bytes=", "pages=1-2", "bytes=a-b"):
        assert service.get(url, headers={"Range": invalid}).content == whole.content, "RFC 9110 says to ignore it"
    assert service.get(url, headers={"Range": "bytes=5-6", "If-Range": '"other"'}).status_code == 200


def test_known_result_is_not_sent_again(service: Any, encoded: Encoded, wait_until: Wait) -> None:
    url = ended(service, submit(service, encoded())["id"], wait_until)["result"]["url"]
    etag = service.get(url).headers["etag"]
    for known, status in ((etag, 304), (f'"other", W/{etag}', 304), ("*", 304), ('"other"', 200)):
        answer = service.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.headers["etag"], bool(answer.content)) == (status, etag, status == 200)


def test_events_tell_of_tiles(service: Any, gate: Any, encoded: Encoded, wait_until: Wait) -> None:
    first = submit(service, encoded("png", 700, 400))["id"]
    second = submit(service, encoded())["id"]
    wait_until(lambda: gate.tiles == 1)
    assert service.get(f"/v1/jobs/{first}").json()["state"] == "running"
    waiting = service.get(f"/v1/jobs/{second}")
    assert (waiting.json()["state"], waiting.json()["ahead"], waiting.headers["retry-after"]) == ("queued", 1, "1")
    assert service.get(f"/v1/jobs/{second}/result").status_code == 409
    threading.Timer(0.2, gate.opened.set).start()
    seen = events(service, first)
    assert [name for name, _ in seen] == ["progress"] * (len(seen) - 1) + ["done"]
    assert any(status["progress"]["total"] == 2 for _, status in seen)
    assert events(service, first) == seen[-1:], "who comes late sees the end alone"
    assert ended(service, second, wait_until)["state"] == "done"


def test_delete(service: Any, gate: Any, encoded: Encoded, wait_until: Wait) -> None:
    running, queued = submit(service, encoded("png", 700, 700))["id"], submit(service, encoded())["id"]
    wait_until(lambda: gate.tiles == 1)
    folder = service.state.jobs.folder
    for id in (queued, running):
        assert service.delete(f"/v1/jobs/{id}").status_code == 204
        assert service.get(f"/v1/jobs/{id}").json()["type"] == "/docs#unknown-job"
        assert service.delete(f"/v1/jobs/{id}").status_code == 404
    gate.opened.set()
    wait_until(lambda: not any((folder.path / "spool").iterdir()))
    wait_until(lambda: not service.state.jobs._running)
    assert gate.tiles <= 2
    assert folder.store.ids() == set()


def test_events_of_a_deleted_job(service: Any, gate: Any, encoded: Encoded, wait_until: Wait) -> None:
    id = submit(service, encoded())["id"]
    wait_until(lambda: gate.tiles == 1)
    threading.Timer(0.2, lambda: httpx.delete(f"{service.base_url}/v1/jobs/{id}")).start()
    assert events(service, id)[-1] == ("deleted", {})
    gate.opened.set()


def test_idempotency(service: Any, encoded: Encoded, wait_until: Wait) -> None:
    ids = {submit(service, encoded(), **{"Idempotency-Key": "a"})["id"] for _ in range(3)}
    assert len(ids) == 1
    assert submit(service, encoded(), **{"Idempotency-Key": "b"})["id"] not in ids
    assert submit(service, encoded())["id"] not in ids
    ended(service, ids.pop(), wait_until)
    for body, query in ((encoded("png", 13, 20), ""), (encoded(), "?scale=3")):
        answer = service.post(f"/v1/jobs{query}", content=body, headers={"Idempotency-Key": "a"})
        assert (answer.status_code, answer.json()["type"]) == (409, "/docs#idempotency-key-reused")


def test_expiry(client_with: Callable[..., Any], encoded: Encoded, wait_until: Wait) -> None:
    with client_with(job_ttl_s=0.2) as client:
        id = submit(client, encoded())["id"]
        wait_until(lambda: client.get(f"/v1/jobs/{id}").status_code == 404)
        wait_until(lambda: not any((client.state.jobs.folder.path / "spool").iterdir()))


@pytest.mark.parametrize(
    ("body", "query", "status", "kind"),
    [
        (b"", "", 422, "damaged-image"),
        (b"text", "", 415, "not-an-image"),
        (b"\x89PNG\r\n\x1a\n", "", 422, "damaged-image"),
        (None, "?scale=17", 422, "bad-parameter"),
        (None, "?scale=2&width=50", 422, "bad-parameter"),
        (None, "?model=unknown", 404, "unknown-model"),
        (None, "?scale=16", 413, "too-many-pixels"),
    ],
)
def test_what_cannot_be_done_is_not_accepted(
    client_with: Callable[..., Any], encoded: Encoded, body: bytes | None, query: str, status: int, kind: str
) -> None:
    with client_with(max_output_pixels=10_000) as client:
        answer = client.post(f"/v1/jobs{query}", content=encoded() if body is None else body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/docs#{kind}")
        assert client.state.jobs.folder.store.ids() == set()


def test_a_picture_that_turns_out_damaged(service: Any, encoded: Encoded, wait_until: Wait) -> None:
    job = ended(service, submit(service, encoded("png", 64, 64)[:-100])["id"], wait_until)
    assert (job["state"], job["error"]["type"], job["error"]["status"]) == ("failed", "/docs#damaged-image", 422)
    answer = service.get(f"/v1/jobs/{job['id']}/result")
    assert (answer.status_code, "the job is failed: the png data is damaged" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("settings", [{"max_jobs": 1}, {"max_job_bytes": 1000}])
def test_no_room(
    client_with: Callable[..., Any], gate: Any, encoded: Encoded, wait_until: Wait, settings: dict[str, int]
) -> None:
    gate.opened.set()
    with client_with(**settings) as client:
        gate.opened.clear()
        id = submit(client, encoded())["id"]
        answer = client.post("/v1/jobs", content=encoded())
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#full", "30")
        gate.opened.set()
        ended(client, id, wait_until)


@pytest.mark.parametrize("what", ["JobFolder.write", "JobStore.add"])
def test_a_full_disk(service: Any, encoded: Encoded, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def fail(*_: Any) -> None:
        raise (
            sqlite3.OperationalError("database or disk is full")
            if what == "JobStore.add"
            else OSError(28, "No space left on device")
        )

    folder = service.state.jobs.folder
    monkeypatch.setattr(*((folder, "write") if what == "JobFolder.write" else (folder.store, "add")), fail)
    answer = service.post("/v1/jobs", content=encoded())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "the picture cannot be stored" in answer.json()["detail"]
    assert not any((folder.path / "spool").iterdir())


@pytest.mark.parametrize("path", ["/v1/jobs/unknown", "/v1/jobs/unknown/events", "/v1/jobs/unknown/result", "/v1/jobs/..%2Fx"])
def test_unknown(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_owners_see_their_own(client_with: Callable[..., Any], encoded: Encoded) -> None:
    with client_with(api_keys="ann:ann-0123456789abcdef,bob:bob-0123456789abcdef") as client:
        ann, bob = ({"Authorization": f"Bearer {name}-0123456789abcdef"} for name in ("ann", "bob"))
        id = submit(client, encoded(), **ann, **{"Idempotency-Key": "a"})["id"]
        assert client.get(f"/v1/jobs/{id}", headers=ann).status_code == 200
        assert client.get(f"/v1/jobs/{id}", headers=bob).status_code == 404
        assert client.delete(f"/v1/jobs/{id}", headers=bob).status_code == 404
        assert client.get(f"/v1/jobs/{id}").status_code == 401
        assert submit(client, encoded(), **bob, **{"Idempotency-Key": "a"})["id"] != id


def test_a_stop_puts_work_back(client_with: Callable[..., Any], tmp_path: Path, gate: Any, encoded: Encoded) -> None:
    gate.opened.set()
    with client_with(jobs_dir=tmp_path) as client:
        gate.opened.clear()
        ids = [submit(client, encoded("png", 700, 700))["id"], submit(client, encoded())["id"]]
        threading.Timer(0.5, gate.opened.set).start()
    with client_with(jobs_dir=tmp_path) as client:
        for id in ids:
            assert events(client, id)[-1][0] == "done"
