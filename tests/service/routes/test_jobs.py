from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from upconv.models import bundled
from upconv.runtime import codecs
from upconv.service.jobs.job_files import picture_name

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


def test_the_content_of_a_picture_chooses_the_model(client_with: Any, encoded: Encoded, wait_until: Wait) -> None:
    with client_with(models=tuple(map(bundled, ("photo-s-x2", "subpixel-s-x2"))), by_content=True) as client:
        id = submit(client, encoded("png", 48, 64))["id"]
        answer = client.get(ended(client, id, wait_until)["result"]["url"])
        assert answer.headers["x-upconv-model"] == "subpixel-s-x2"
        assert unquote(answer.headers["x-upconv-chosen-for"]) == "photograph, no loss, x2"


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
    assert service.state.jobs.storage.files.exists(picture_name(id)) is False, "what is done needs its picture no longer"


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
    storage = service.state.jobs.storage
    for id in (queued, running):
        assert service.delete(f"/v1/jobs/{id}").status_code == 204
        assert service.get(f"/v1/jobs/{id}").json()["type"] == "/docs#unknown-job"
        assert service.delete(f"/v1/jobs/{id}").status_code == 404
    gate.opened.set()
    wait_until(lambda: not any(storage.files.folder.iterdir()))
    wait_until(lambda: not service.state.jobs.running)
    assert gate.tiles <= 2
    assert storage.store.ids() == set()


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
        wait_until(lambda: not any(client.state.jobs.storage.files.folder.iterdir()))


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
        assert client.state.jobs.storage.store.ids() == set()


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


@pytest.mark.parametrize("what", ["file", "database", "folder"])
def test_a_full_disk(service: Any, encoded: Encoded, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def fail(*_: Any) -> None:
        raise (
            sqlite3.OperationalError("database or disk is full")
            if what == "database"
            else OSError(28, "No space left on device")
        )

    storage = service.state.jobs.storage
    files = storage.files
    places = {"file": (files, "write"), "database": (storage.store.database._writer, "run"), "folder": (files, "free_bytes")}
    monkeypatch.setattr(*places[what], fail)
    answer = service.post("/v1/jobs", content=encoded())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert ("the database of jobs cannot be used" if what == "database" else "the picture cannot be stored") in answer.text
    assert not list(files.folder.glob("*"))


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


def test_a_key_lists_its_own_jobs_in_pages(
    client_with: Callable[..., Any], gate: Any, encoded: Encoded, wait_until: Wait
) -> None:
    gate.opened.set()
    with client_with(api_keys="ann:ann-0123456789abcdef,bob:bob-0123456789abcdef") as client:
        ann, bob = ({"Authorization": f"Bearer {name}-0123456789abcdef"} for name in ("ann", "bob"))
        first = submit(client, encoded(), **ann)["id"]
        wait_until(lambda: client.get(f"/v1/jobs/{first}", headers=ann).json()["state"] == "done")
        gate.opened.clear()
        ids = [first, *(submit(client, encoded(), **ann)["id"] for _ in range(4))]
        submit(client, encoded(), **bob)
        seen, after = list[str](), dict[str, str]()
        for size in (2, 2, 1):
            page = client.get("/v1/jobs", params={"limit": 2, **after}, headers=ann).json()
            assert len(page["jobs"]) == size
            seen += [job["id"] for job in page["jobs"]]
            after = {"after": page["next"]}
        assert seen == ids[::-1]
        assert page["next"] is None
        done = client.get("/v1/jobs?state=done", headers=ann).json()["jobs"]
        assert [(job["id"], job["progress"]) for job in done] == [(first, {"done": 1, "total": 1})]
        queued = client.get("/v1/jobs?state=queued", headers=ann).json()["jobs"]
        assert [job["ahead"] for job in queued] == [4, 3, 2], "it is bob's turn next"
        assert len(client.get("/v1/jobs", headers=bob).json()["jobs"]) == 1
        gate.opened.set()


def test_keys_take_turns(client_with: Callable[..., Any], gate: Any, encoded: Encoded, wait_until: Wait) -> None:
    gate.opened.set()
    with client_with(api_keys="ann:ann-0123456789abcdef,bob:bob-0123456789abcdef") as client:
        ann, bob = ({"Authorization": f"Bearer {name}-0123456789abcdef"} for name in ("ann", "bob"))
        gate.opened.clear()
        many = [submit(client, encoded(), **ann)["id"] for _ in range(4)]
        one = submit(client, encoded(), **bob)["id"]
        gate.opened.set()
        wait_until(lambda: client.state.jobs.waiting == 0)
        store = client.state.jobs.storage.store
        finished = sorted([*many, one], key=lambda each: store.get(each).finished)
    assert finished.index(one) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("limit=1", 200),
        ("limit=200", 200),
        ("limit=0", 422),
        ("limit=201", 422),
        ("state=gone", 422),
        ("after=x", 422),
        ("after=1764166000.25-a", 200),
        ("other=1", 422),
    ],
)
def test_bounds_of_a_list(client_with: Callable[..., Any], query: str, status: int) -> None:
    with client_with(api_keys="ann:ann-0123456789abcdef") as client:
        answer = client.get(f"/v1/jobs?{query}", headers={"Authorization": "Bearer ann-0123456789abcdef"})
        assert answer.status_code == status


def test_without_keys_nobody_sees_the_jobs_of_others_in_a_list(client: httpx.Client) -> None:
    answer = client.get("/v1/jobs")
    assert (answer.status_code, answer.json()["type"]) == (401, "/docs#key-required")
    assert "keep the ids" in answer.json()["detail"]


def test_a_key_named_admin_does_not_own_the_jobs_of_the_admin_key(client_with: Callable[..., Any], encoded: Encoded) -> None:
    with client_with(api_keys="admin:user-0123456789abcdef", admin_key="real-0123456789abcdef") as client:
        user, real = ({"Authorization": f"Bearer {name}-0123456789abcdef"} for name in ("user", "real"))
        id = submit(client, encoded(), **real)["id"]
        assert client.get(f"/v1/jobs/{id}", headers=user).status_code == 404
        assert client.get(f"/v1/jobs/{id}", headers=real).status_code == 200


@pytest.mark.parametrize(("state", "picture", "status"), [("done", True, 409), ("failed", True, 202), ("failed", False, 409)])
def test_retry(service: Any, encoded: Encoded, wait_until: Wait, state: str, picture: bool, status: int) -> None:
    id = submit(service, encoded("png", 64, 64)[: -100 if state == "failed" else None])["id"]
    before = ended(service, id, wait_until)
    assert before["state"] == state
    path = service.state.jobs.storage.files.path(picture_name(id))
    assert path.exists() is (state == "failed"), "the picture of a failed job stays"
    if not picture:
        path.unlink()
    answer = service.post(f"/v1/jobs/{id}/retry")
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["type"] == "/docs#not-retriable"
    else:
        assert (answer.json()["state"], answer.json()["error"], answer.json()["expires"]) == ("queued", None, None)
        again = ended(service, id, wait_until)
        assert (again["state"], again["finished"] > before["finished"]) == ("failed", True)
    assert service.post("/v1/jobs/unknown/retry").status_code == 404


def test_many_who_watch_one_job_share_the_reading(service: Any, gate: Any, encoded: Encoded, wait_until: Wait) -> None:
    first, id = submit(service, encoded())["id"], submit(service, encoded())["id"]
    wait_until(lambda: gate.tiles == 1)
    store, reads = service.state.jobs.storage.store, list[str]()
    get = store.get

    def counted(id: str) -> Any:
        reads.append(id)
        return get(id)

    store.get = counted
    seen: list[list[tuple[str, Any]]] = []
    watchers = [threading.Thread(target=lambda: seen.append(events(service, id))) for _ in range(20)]
    for watcher in watchers:
        watcher.start()
    wait_until(lambda: service.state.events._watchers[id] == 20)
    reads.clear()
    gate.opened.set()
    for watcher in watchers:
        watcher.join(20)
    assert all(each[-1][0] == "done" for each in seen)
    assert len(seen) == 20
    assert len(reads) < 10
    assert not service.state.events._watchers
    assert not service.state.events._readings
    assert ended(service, first, wait_until)["state"] == "done"
