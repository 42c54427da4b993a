"""Two replicas in one process, which share a database and a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from tests.service.postgres import PostgresServer

from upconv.runtime.errors import Cancelled
from upconv.service.errors import StorageError
from upconv.service.jobs import replicas, sweep
from upconv.service.jobs.job_files import result_name
from upconv.service.jobs.replicas import Replicas
from upconv.service.jobs.runner import JobRunner
from upconv.service.jobs.running_job import RunningJob
from upconv.service.log import new_log
from upconv.service.supervisor import Supervisor

Wait = Callable[[Callable[[], bool]], None]
Encoded = Callable[..., bytes]
CLAIM_S = 1.2


@pytest.fixture
def settings(postgres: PostgresServer, tmp_path: Path) -> dict[str, Any]:
    return {"jobs_store": postgres.url(), "jobs_spool": str(tmp_path / "spool"), "job_claim_s": CLAIM_S}


@pytest.fixture
def pair(client_with: Callable[..., Any], settings: dict[str, Any], wait_until: Wait) -> Iterator[tuple[Any, Any]]:
    with ExitStack() as stack:
        first, second = (stack.enter_context(client_with(**settings)) for _ in range(2))
        wait_until(lambda: not any(_failing(each) for each in (first, second)))
        yield first, second


def _failing(service: Any) -> set[str]:
    return {each["task"] for each in service.get("/readyz").json()["failing"]}


def submit(service: Any, picture: bytes, query: str = "") -> str:
    answer = service.post(f"/v1/jobs{query}", content=picture)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(service: Any, id: str) -> str:
    return str(service.get(f"/v1/jobs/{id}").json().get("state"))


def test_a_replica_whose_claim_lapsed_does_not_count(
    pair: tuple[Any, Any], gate: Any, encoded: Encoded, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = {each.state.jobs: each for each in pair}
    id = submit(pair[0], encoded())
    wait_until(lambda: gate.tiles == 1)
    [late] = [runner for runner in services if runner.running]
    [other] = [runner for runner in services if runner is not late]
    monkeypatch.setattr(late.storage.store, "extend", lambda *_: True)  # its heartbeats do not reach the database
    wait_until(lambda: bool(other.running))
    gate.opened.set()
    wait_until(lambda: state(services[late], id) == "done" and not late.running and not other.running)
    job = late.storage.store.get(id)
    assert (job.claim, job.attempts) == (2, 2)
    assert late.storage.files.exists(result_name(job))
    assert [path.name for path in late.storage.files.folder.iterdir()] == [result_name(job)], "the late result is deleted"


def test_a_heartbeat_stops_what_another_replica_has_taken(
    pair: tuple[Any, Any], gate: Any, encoded: Encoded, wait_until: Wait
) -> None:
    id = submit(pair[0], encoded())
    wait_until(lambda: gate.tiles == 1)
    [runner] = [each.state.jobs for each in pair if each.state.jobs.running]
    running = runner.running[id]
    runner.storage.store.database.write("UPDATE jobs SET claim = 2 WHERE id = ? RETURNING id", id)
    wait_until(lambda: running.cancellation.cancelled)
    gate.opened.set()
    wait_until(lambda: not runner.running)
    assert state(pair[0], id) == "running", "it belongs to the other one"


def test_a_job_is_kept_by_heartbeats_and_shows_its_progress_everywhere(
    pair: tuple[Any, Any], gate: Any, encoded: Encoded, wait_until: Wait
) -> None:
    id = submit(pair[0], encoded())
    wait_until(lambda: gate.tiles == 1)
    time.sleep(2 * CLAIM_S)
    assert pair[0].state.jobs.storage.store.get(id).claim == 1
    assert {each.get("/metrics").text.split("\nupconv_jobs_waiting ")[1].split()[0] for each in pair} == {"1.0"}
    [idle] = [each for each in pair if not each.state.jobs.running]
    runner, database = idle.state.jobs, idle.state.jobs.storage.store.database
    for message in ("no json", "[]", "{}", '{"id": 1}', '{"state": 3}', "1"):
        database.tell(message)
    database.tell(json.dumps({"id": id, "done": 5, "total": 9}))
    wait_until(lambda: idle.get(f"/v1/jobs/{id}").json()["progress"] == {"done": 5, "total": 9})
    runner.missed_messages()
    assert idle.get(f"/v1/jobs/{id}").json()["progress"] != {"done": 5, "total": 9}, "what the heartbeats stored"
    gate.opened.set()
    wait_until(lambda: state(idle, id) == "done")


@pytest.fixture
def sweeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replicas that start from now on sweep often."""
    monkeypatch.setattr(sweep, "INTERVAL_S", 0.05)


def test_one_replica_keeps_a_leased_job_for_both(
    sweeping: None, pair: tuple[Any, Any], encoded: Encoded, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    for each in pair:
        monkeypatch.setattr(each.state.jobs.leases, "_clock", lambda: now)
    id = submit(pair[0], encoded(), "?lease_s=60")
    wait_until(lambda: state(pair[0], id) == "done")
    store = pair[0].state.jobs.storage.store
    for _ in range(3):
        now += 50
        assert pair[0].get(f"/v1/jobs/{id}").status_code == 200
        wait_until(lambda: store.get(id).renewed >= store.now() - 0.5)
        time.sleep(0.5)
    now += 69
    time.sleep(0.5)
    assert store.get(id) is not None, "replicas wait ten seconds longer"
    now += 2
    wait_until(lambda: store.get(id) is None)


def test_each_webhook_is_sent_once(
    client_with: Callable[..., Any], settings: dict[str, Any], receiver: Any, encoded: Encoded, wait_until: Wait
) -> None:
    urls = {"webhook_hosts": receiver.address, "webhook_secret": "whsec_" + "A" * 32, "result_hosts": receiver.address}
    with client_with(**settings, **urls) as first, client_with(**settings, **urls) as second:
        for _ in range(4):
            for each in (first, second):
                submit(each, encoded(), f"?webhook=http://{receiver.address}/w&result_url=http://{receiver.address}/r")
        wait_until(lambda: len(receiver.lines) >= 16)
        time.sleep(1)
    assert sorted(receiver.lines) == ["POST /w"] * 8 + ["PUT /r"] * 8


def test_without_database_pictures_are_served_and_jobs_come_later(
    client_with: Callable[..., Any], own_postgres: PostgresServer, tmp_path: Path, encoded: Encoded, wait_until: Wait
) -> None:
    url = own_postgres.url()
    own_postgres.stop()
    with client_with(jobs_store=url, jobs_spool=str(tmp_path / "spool"), job_claim_s=CLAIM_S) as client:
        wait_until(lambda: _failing(client) >= {"jobs", "heartbeats", "messages", "sweep"})
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/upscale", content=encoded()).status_code == 200
        for answer in (client.post("/v1/jobs", content=encoded()), client.get("/v1/jobs/a"), client.delete("/v1/jobs/a")):
            assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#no-storage", "10")
        own_postgres.start()
        id = submit(client, encoded())
        wait_until(lambda: state(client, id) == "done")
        wait_until(lambda: not _failing(client))


def test_a_folder_that_is_gone_is_told(
    client_with: Callable[..., Any], postgres: PostgresServer, tmp_path: Path, encoded: Encoded, wait_until: Wait
) -> None:
    (tmp_path / "mount").mkdir()
    with client_with(jobs_store=postgres.url(), jobs_spool=str(tmp_path / "mount" / "spool")) as client:
        (tmp_path / "mount").rmdir()
        answer = client.post("/v1/jobs", content=encoded())
        assert (answer.status_code, "the picture cannot be stored: No such file" in answer.text) == (503, True)


def test_passwords_are_not_shown(client_with: Callable[..., Any], settings: dict[str, Any]) -> None:
    with client_with(**settings) as client:
        assert "hush" not in f"{client.state.settings!r} {client.state.settings.model_dump_json()}"


class Beaten:
    """What a heartbeat uses of a runner, with a database that answers or not."""

    def __init__(self) -> None:
        self.running = dict[str, RunningJob]()
        self.storage = self.store = self
        self.answers, self.recovered = True, 0

    async def read(self, query: Callable[..., object], *arguments: Any) -> None:
        query(*arguments)

    write = read

    def count_backlog(self) -> None:
        if not self.answers:
            raise StorageError("gone", 1)

    def recover(self, active: frozenset[str]) -> None:
        self.recovered += 1

    def added(self) -> None:
        pass


def test_after_a_time_without_database_living_replicas_have_time_to_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    now, paces = 100.0, list[float]()

    async def sleep(seconds: float) -> None:
        paces.append(seconds)
        raise Cancelled

    runner, supervisor = Beaten(), Supervisor(new_log(), lambda _: None)
    replica = Replicas(cast(JobRunner, runner), supervisor, 30.0)
    monkeypatch.setattr(replicas, "current_time", lambda: now)
    monkeypatch.setattr(replicas, "anyio", SimpleNamespace(sleep=sleep))  # not for the services of other tests in this process
    seen = list[tuple[float, int, bool]]()
    for now in (100.0, 129.9, 130.0, 131.0, 132.0, 161.9, 162.0):
        runner.answers = now != 131.0
        with pytest.raises(Cancelled):
            anyio.run(replica.beat)
        seen.append((now, runner.recovered, "heartbeats" in supervisor.failing))
    assert seen == [
        (100.0, 0, False),
        (129.9, 0, False),
        (130.0, 1, False),
        (131.0, 1, True),
        (132.0, 1, False),
        (161.9, 1, False),
        (162.0, 2, False),
    ]
    assert set(paces) == {5.0}
