"""Replicas of the service that share jobs in PostgreSQL and S3: real processes, which are killed while they work."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.object_store import ObjectStore, object_store
from tests.service.postgres import PostgresServer, missing, postgres_server

from upconv.runtime import Upscaler
from upconv.service.keys import new_key

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")

PROGRAM = """
import os, time
from onnxruntime import InferenceSession
ahead_s, now = {ahead_s}, time.time
time.time = lambda: now() + ahead_s
run = InferenceSession.run
def slowed(*arguments):
    if os.path.exists({brake!r}):
        time.sleep(0.2)
    return run(*arguments)
InferenceSession.run = slowed
from upconv.service import Settings, serve, shared_rates
shared_rates.WAIT_S = {wait_s}
serve(Settings())
"""


@dataclass
class Replica:
    """A process of the service, and the lines of its log."""

    process: subprocess.Popen[str]
    client: httpx.Client
    log: list[dict[str, Any]] = field(default_factory=list)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def killed_if(self, holds: Callable[[], bool]) -> bool:
        """Hold the process, and kill it if a condition holds. Return true if it was killed."""
        self.process.send_signal(signal.SIGSTOP)
        if holds():
            self.kill()
            return True
        self.process.send_signal(signal.SIGCONT)
        return False

    def ended(self, state: str) -> list[str]:
        """Return the ids of the jobs that this replica brought to an end."""
        return [line["job"] for line in self.log if line.get("event") == "job" and line["state"] == state]


@dataclass(frozen=True)
class Fleet:
    """What replicas share."""

    postgres: PostgresServer
    bucket: ObjectStore
    model: Path
    settings: dict[str, str]
    brake: Path
    wait_s: float = 0.25
    """The most seconds that a request waits for its rate to be counted."""

    @contextmanager
    def slow(self) -> Iterator[None]:
        """Every tile takes 0.2 s more, so that jobs last as long as a test looks at them."""
        self.brake.touch()
        try:
            yield
        finally:
            self.brake.unlink()

    @contextmanager
    def replica(self, ahead_s: float = 0, /, **settings: str) -> Iterator[Replica]:
        """A replica whose clock is `ahead_s` seconds ahead."""
        chosen = {"MODELS": str(self.model), "PORT": "0", "WORKERS": "1", "TILE_PX": "32", "LOG_FORMAT": "json"}
        chosen |= {"JOB_CLAIM_S": "3", **self.settings, **settings}
        environment = {**os.environ, **self.bucket.environment, **{f"UPCONV_{name}": each for name, each in chosen.items()}}
        command = [sys.executable, "-c", PROGRAM.format(ahead_s=ahead_s, brake=str(self.brake), wait_s=self.wait_s)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines = list[dict[str, Any]]()
            reader = threading.Thread(target=lambda: _read(process.stderr, lines))
            reader.start()
            match = re.search(r"http://\S+", process.stdout.readline())
            assert match is not None, lines
            try:
                with httpx.Client(base_url=match[0], timeout=60) as client:
                    yield Replica(process, client, lines)
            finally:
                process.kill()
                reader.join()

    def running(self) -> object:
        """Return the number of running jobs."""
        return self.postgres.query("SELECT count(*) FROM jobs WHERE state = 'running'", self.settings["JOBS_STORE"])[0][0]

    def claims(self, ids: list[str]) -> set[object]:
        """Return the numbers of starts that the jobs had."""
        names = ", ".join(f"'{id}'" for id in ids)
        rows = self.postgres.query(f"SELECT DISTINCT claim FROM jobs WHERE id IN ({names})", self.settings["JOBS_STORE"])
        return {row[0] for row in rows}


def _read(stream: Any, lines: list[dict[str, Any]]) -> None:
    for line in stream:
        with suppress(ValueError):
            lines.append(json.loads(line))


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[PostgresServer, ObjectStore]]:
    with postgres_server() as postgres, object_store() as bucket:
        yield postgres, bucket


@pytest.fixture
def fleet(servers: tuple[PostgresServer, ObjectStore], nearest_x2: Path, tmp_path: Path) -> Fleet:
    postgres, bucket = servers
    settings = {"JOBS_STORE": postgres.url(), "JOBS_SPOOL": f"s3://jobs/{tmp_path.name}"}
    return Fleet(postgres, bucket, nearest_x2, settings, tmp_path / "brake")


def state(client: httpx.Client, id: str) -> str:
    return str(client.get(f"/v1/jobs/{id}").json()["state"])


def is_done(replica: Replica, id: str) -> bool:
    return state(replica.client, id) == "done"


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


class Watcher:
    """Follows the events of a job in a thread."""

    def __init__(self, replica: Replica, id: str) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._url = f"{replica.client.base_url}/v1/jobs/{id}/events"
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        with httpx.stream("GET", self._url, timeout=60) as answer:
            name = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))

    def join(self) -> list[tuple[str, dict[str, Any]]]:
        self._thread.join(120)
        assert not self._thread.is_alive()
        return self.events


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("victim", [0, 1])
def test_kill_of_either_replica_during_20_jobs(fleet: Fleet, encoded: Callable[..., bytes], victim: int) -> None:
    pictures = [encoded("png", 400 + 10 * n, 600) for n in range(20)]
    with Upscaler(fleet.model, workers=1) as upscaler:
        expected = [upscaler.upscale(picture) for picture in pictures]
    with ExitStack() as stack:
        replicas = [stack.enter_context(fleet.replica(ahead_s)) for ahead_s in (0, 60)]
        killed, survivor = replicas[victim], replicas[1 - victim]
        ids = [replicas[n % 2].client.post("/v1/jobs", content=each).json()["id"] for n, each in enumerate(pictures)]
        last = Watcher(survivor, ids[-1])
        until(lambda: len(killed.ended("done")) >= 2)
        until(lambda: killed.killed_if(lambda: fleet.running() == 2))  # each replica computes one at a time
        for id in ids:
            until(partial(is_done, survivor, id), 200)
        results = [survivor.client.get(f"/v1/jobs/{id}/result").content for id in ids]
        assert last.join()[-1][0] == "done"
        done = Counter(id for each in replicas for id in each.ended("done"))
    assert fleet.claims(ids) == {1, 2}, "the kill came in the middle of a job"
    assert results == expected
    assert max(done.values()) == 1, "none was done twice to the end"
    assert len(done) >= 19, "a process that is killed may not get to write its last line"
    assert len(killed.ended("done")) < 20


def _running(replica: Replica, ids: list[str]) -> list[str]:
    return [id for id in ids if state(replica.client, id) == "running"]


def _stopped(*replicas: Replica) -> list[str]:
    return [id for each in replicas for end in ("gone", "queued") for id in each.ended(end)]


def submit(replica: Replica, picture: bytes, query: str = "") -> str:
    answer = replica.client.post(f"/v1/jobs{query}", content=picture)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_progress_goes_on_through_another_replica(fleet: Fleet, encoded: Callable[..., bytes]) -> None:
    with fleet.replica() as first, fleet.replica() as second:
        until(lambda: not second.client.get("/readyz").json()["failing"])
        with fleet.slow():
            ids = [submit(first, encoded("png", 300, 400)) for _ in range(2)]
            until(lambda: sorted(_running(second, ids)) == sorted(ids))
            watchers = [Watcher(second, id) for id in ids]
            until(lambda: all(any(event["progress"]["done"] for _, event in watcher.events) for watcher in watchers))
            assert first.killed_if(lambda: fleet.running() == 2), "both replicas compute one"
        for watcher, id in zip(watchers, ids, strict=True):
            names = [name for name, _ in watcher.join()]
            assert names == ["progress"] * (len(names) - 1) + ["done"]
            assert is_done(second, id)
    assert fleet.claims(ids) == {1, 2}


def test_any_replica_answers_for_a_job_of_another_one_and_deletes_it(fleet: Fleet, encoded: Callable[..., bytes]) -> None:
    with fleet.replica() as first, fleet.replica(JOBS_PRESIGN="true") as second:
        id = submit(first, encoded(), "?format=png")
        until(partial(is_done, second, id))
        streamed, redirect = (each.client.get(f"/v1/jobs/{id}/result") for each in (first, second))
        assert (streamed.status_code, redirect.status_code) == (200, 302)
        signed = httpx.get(redirect.headers["location"])
        assert (signed.content, signed.headers["content-type"]) == (streamed.content, "image/png")
        with fleet.slow():
            large = [submit(first, encoded("png", 300, 400)) for _ in range(2)]
            until(lambda: sorted(_running(first, large)) == sorted(large))
            for each in large:
                assert first.client.delete(f"/v1/jobs/{each}").status_code == 204
                assert second.client.get(f"/v1/jobs/{each}").status_code == 404
            # A job that notices its stop before its row is deleted goes back to the queue first.
            until(lambda: set(_stopped(first, second)) == set(large))
        assert second.client.delete(f"/v1/jobs/{id}").status_code == 204
        assert fleet.bucket.names(fleet.settings["JOBS_SPOOL"].removeprefix("s3://jobs/")) == []
        assert not [line for each in (first, second) for line in each.log if "hush" in json.dumps(line)]


def asked(replica: Replica, secret: str = "", times: int = 1) -> list[int]:
    """Return the statuses of requests that count for the rate, and that cost nothing else."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return [replica.client.post("/v1/upscale", content=b"", headers=headers).status_code for _ in range(times)]


def rates_are_shared(replica: Replica) -> bool:
    return "\nupconv_rates_shared 1.0" in replica.client.get("/metrics").text


def test_a_key_has_one_rate_at_both_replicas(fleet: Fleet, tmp_path: Path) -> None:
    (ann, of_ann), (bob, of_bob), keys = new_key("ann"), new_key("bob"), tmp_path / "keys"
    keys.write_text(f"{of_ann.line()} rate=0.001\n{of_bob.line()}\n")
    settings = {
        "API_KEYS_FILE": str(keys),
        "WATCH": "true",
        "WATCH_INTERVAL_S": "0.1",
        "RATE_BURST": "6",
        "RATE_PER_S": "0.001",
    }
    patient = replace(fleet, wait_s=30)  # so that a busy machine does not count alone
    with patient.replica(**settings) as first, patient.replica(60, **settings) as second:
        until(lambda: rates_are_shared(first) and rates_are_shared(second))
        assert [*asked(first, ann, 2), *asked(second, ann, 3), *asked(first, ann)] == 6 * [422]
        assert [*asked(first, ann), *asked(second, ann)] == [429, 429]
        assert [*asked(second, bob, 6), *asked(first, bob)] == [*6 * [422], 429]
        assert "upconv_rates_counted_locally_total 0.0" in first.client.get("/metrics").text
        keys.write_text(f"{of_bob.line()}\n")
        until(lambda: asked(first, ann) == asked(second, ann) == [401])


@pytest.mark.slow
@pytest.mark.timeout(200)
@pytest.mark.parametrize("fault", ["stopped", "silent"])
def test_rates_without_the_database_count_in_each_replica(fleet: Fleet, fault: str) -> None:
    settings = {"RATE_BURST": "5", "RATE_PER_S": "0.001"}
    with fleet.replica(**settings) as first, fleet.replica(**settings) as second:
        until(lambda: rates_are_shared(first) and rates_are_shared(second))
        assert asked(first, times=2) == [422, 422]
        with _fault(fleet.postgres, fault):
            started = time.monotonic()
            assert asked(first, times=4) == [422, 422, 422, 429]
            assert first.client.get("/healthz").status_code == 200
            assert time.monotonic() - started < 2, "only the first one waits for the database, and not for long"
            assert asked(second, times=6) == [*5 * [422], 429]
            until(lambda: "rates" in {task["task"] for task in first.client.get("/readyz").json()["failing"]})
            metrics = first.client.get("/metrics").text
            assert "\nupconv_rates_shared 0.0" in metrics
            assert "\nupconv_rates_counted_locally_total 3.0" in metrics
        until(lambda: rates_are_shared(first) and rates_are_shared(second))
        assert "rates" not in {task["task"] for task in first.client.get("/readyz").json()["failing"]}


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["stopped", "silent"])
def test_half_a_minute_without_database(fleet: Fleet, encoded: Callable[..., bytes], fault: str) -> None:
    with fleet.replica() as first, fleet.replica() as second:
        replicas = (first, second)
        ids = [submit(first, encoded("png", 500, 600)) for _ in range(8)]
        until(lambda: len(first.ended("done") + second.ended("done")) >= 1)
        with _fault(fleet.postgres, fault):
            started = time.monotonic()
            while time.monotonic() - started < 30:
                for each in replicas:
                    assert each.client.post("/v1/upscale", content=encoded()).status_code == 200
                    time.sleep(0.5)
            ready = first.client.get("/readyz")
            failing = {task["task"]: task["error"] for task in ready.json()["failing"]}
            assert ready.status_code == 200
            assert "messages" in failing
            assert all("the database of jobs cannot be used" in error for error in failing.values())
            assert 'upconv_background_failing{task="messages"}' in first.client.get("/metrics").text
            answer = first.client.post("/v1/jobs", content=encoded())
            assert (answer.status_code, answer.json()["type"]) == (503, "/docs#no-storage")
        for id in ids:
            until(partial(is_done, second, id), 120)
        until(lambda: not first.client.get("/readyz").json()["failing"], 100)
        done = Counter(id for each in replicas for id in each.ended("done"))
    assert max(done.values()) == 1
    assert not [line for each in replicas for line in each.log if "hush" in json.dumps(line)]


@contextmanager
def _fault(postgres: PostgresServer, fault: str) -> Iterator[None]:
    if fault == "silent":
        with postgres.paused():
            yield
        return
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()
