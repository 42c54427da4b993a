from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.service.postgres import PostgresServer

from upconv.service.jobs.database import SqliteDatabase
from upconv.service.jobs.job import Job, JobFilter, JobProgress
from upconv.service.jobs.postgres_database import PostgresDatabase
from upconv.service.jobs.retries import LONGEST_PAUSE_S, put_back
from upconv.service.jobs.store import Backlog, JobStore
from upconv.service.parameters import UpscaleQuery

ORDER = UpscaleQuery(model="model", scale=2.5, format="png")


def job(id: str, **values: Any) -> Job:
    return Job(**{"id": id, "owner": "ann", "order": ORDER, "fingerprint": "f", "bytes_in": 10, "created": 1.0, **values})


@pytest.fixture(params=["sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], JobStore]]:
    """Opens one database again and again."""
    opened = list[JobStore]()
    url = request.getfixturevalue("postgres").url() if request.param == "postgresql" else ""

    def open_store() -> JobStore:
        database = PostgresDatabase(url) if url else SqliteDatabase(tmp_path / "jobs.sqlite3")
        opened.append(JobStore(database))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], JobStore]) -> JobStore:
    return open_store()


def test_what_is_kept_comes_back(store: JobStore, open_store: Callable[[], JobStore]) -> None:
    created = 1764166000.123456
    kept = store.add(job("a", idempotency_key="k", owner="än%n?", created=created))
    claimed = store.claim()
    assert claimed is not None
    assert (claimed.id, claimed.created, claimed.idempotency_key) == (kept.id, created, "k")
    done = replace(
        claimed, state="done", finished=2.0, expires=3.0, bytes_out=7, result={"ETag": "x"}, error={"detail": "it's 5 %?"}
    )
    assert store.settle(done)
    store.close()
    again = open_store()
    assert again.get("a") == done
    assert again.by_key("än%n?", "k") == done
    assert again.get("b") is None


def test_oldest_first(store: JobStore) -> None:
    for id, created in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        store.add(job(id, created=created))
    assert [store.ahead(job(id, created=created)) for id, created in (("a", 1.0), ("c", 3.0))] == [0, 2]
    claimed = store.claim()
    assert claimed is not None
    assert (claimed.id, claimed.state, claimed.attempts) == ("a", "running", 1)
    again_later = store.claim()
    assert again_later is not None
    assert (again_later.id, [claim.id for claim in iter(store.claim, None) if claim]) == ("b", ["c"])
    assert store.settle(put_back(again_later))
    again = store.claim()
    assert again is not None
    assert (again.id, again.attempts) == ("b", 1), "a calm stop is no attempt"


def test_one_job_a_key_and_owner(store: JobStore) -> None:
    first = store.add(job("a", idempotency_key="k"))
    assert store.add(job("b", idempotency_key="k")) == first
    assert store.add(job("c", idempotency_key="k", owner="bob")).id == "c"
    assert store.add(job("d")).id == "d"
    assert store.ids() == {"a", "c", "d"}
    deleted = store.delete("a")
    assert deleted is not None
    assert deleted.id == "a"
    assert store.delete("a") is None
    assert store.add(job("b", idempotency_key="k")).id == "b"


def test_counts(store: JobStore) -> None:
    assert (store.waiting(), store.bytes()) == (0, 0)
    store.add(job("a"))
    store.add(job("b", created=0.5))
    claimed = store.claim()
    assert claimed is not None
    store.settle(replace(claimed, state="done", bytes_out=100, expires=5.0))
    assert (store.waiting(), store.bytes()) == (1, 110)
    assert [each.id for each in store.expired(4.9)] == []
    assert [each.id for each in store.expired(5.0)] == ["b"]
    assert not store.settle(job("deleted meanwhile"))


def test_a_job_pauses_until_it_is_due_even_if_the_clock_is_set_back(store: JobStore) -> None:
    now = time.time()
    store.add(job("soon", due=now + 0.3))
    store.add(job("later", due=now + LONGEST_PAUSE_S))
    assert store.claim() is None
    assert store.next_due() == pytest.approx(now + 0.3)
    time.sleep(0.35)
    assert [claim.id for claim in iter(store.claim, None) if claim] == ["soon"]
    store.add(job("of another time", due=now + 10 * LONGEST_PAUSE_S))
    assert [claim.id for claim in iter(store.claim, None) if claim] == ["of another time"]


def test_what_waits_is_known_without_the_database(store: JobStore) -> None:
    assert store.backlog == Backlog(0, None)
    store.add(job("a", created=7.0))
    store.add(job("b", created=5.0))
    assert store.backlog == Backlog(2, 5.0)
    store.delete("b")
    assert store.backlog == Backlog(1, 7.0)
    claimed = store.claim()
    assert claimed is not None
    store.settle(replace(claimed, state="failed"))
    assert store.backlog == Backlog(0, None)


def test_a_late_result_is_not_taken(store: JobStore) -> None:
    store.add(job("a"))
    early = store.claim()
    assert early is not None
    assert store.settle(put_back(early))
    later = store.claim()
    assert later is not None
    assert (early.claim, later.claim) == (1, 2)
    assert not store.extend("a", early.claim, JobProgress())
    assert not store.settle(replace(early, state="done", result={"of": "the early one"}))
    assert store.get("a") == later
    assert store.extend("a", later.claim, JobProgress(done=1, total=2))
    assert store.settle(replace(later, state="done", result={"of": "the later one"}))
    assert store.settle(replace(later, state="done", result={"of": "the later one"})), "its answer was lost, and it is repeated"
    assert not store.settle(replace(early, state="done"))
    assert not store.extend("a", later.claim, JobProgress())
    kept = store.get("a")
    assert kept is not None
    assert kept.result == {"of": "the later one"}


def test_jobs_of_a_silent_replica_are_given_back_once(open_store: Callable[[], JobStore]) -> None:
    store, other = open_store(), open_store()
    store._claim_s = 0.4
    for id in ("a", "b"):
        store.add(job(id))
    claimed = [each for each in (store.claim(), store.claim()) if each]
    assert other.lapsed() == []
    time.sleep(0.5)
    assert store.extend("b", 1, JobProgress(done=3, total=4)), "nobody has given it back yet"
    lapsed = other.lapsed()
    assert [each.id for each in lapsed] == ["a"]
    assert [each.give_back(replace(lapsed[0], due=5.0)) for each in (store, other)] == [True, False]
    assert not other.give_back(claimed[1]), "its replica spoke"
    again = other.claim()
    assert again is not None
    assert (again.id, again.attempts, again.claim, again.due) == ("a", 2, 2, 5.0)
    told = other.get("b")
    assert told is not None
    assert (told.tiles_done, told.tiles) == (3, 4)


def test_many_threads_claim_each_job_once(open_store: Callable[[], JobStore]) -> None:
    stores = [open_store() for _ in range(4)]
    for number in range(40):
        stores[0].add(job(f"{number}", owner=f"owner {number % 3}"))
    claimed = list[str]()

    def claim_all(store: JobStore) -> None:
        claimed.extend(each.id for each in (store.claim() for _ in range(40)) if each)

    threads = [threading.Thread(target=claim_all, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed, key=int) == [str(number) for number in range(40)]


def test_a_job_that_another_transaction_holds_is_left_out(postgres: PostgresServer) -> None:
    url = postgres.url()
    store = JobStore(PostgresDatabase(url))
    for id in ("a", "b"):
        store.add(job(id))
    with psycopg.connect(url) as other:
        other.execute("SELECT * FROM jobs WHERE id = 'a' FOR UPDATE")
        first = store.claim()
        assert first is not None
        assert first.id == "b"
        assert store.claim() is None
    second = store.claim()
    assert second is not None
    assert second.id == "a"
    store.close()


def test_pages_of_an_owner(store: JobStore) -> None:
    for number in range(5):
        store.add(job(str(number), created=float(number // 2)))
    store.add(job("of another", owner="bob"))
    first = store.of_owner("ann", JobFilter(limit=3))
    assert [each.id for each in first] == ["4", "3", "2"]
    rest = store.of_owner("ann", JobFilter(limit=3, after=(first[-1].created, first[-1].id)))
    assert [each.id for each in rest] == ["1", "0"]
    store.claim()
    assert [each.id for each in store.of_owner("ann", JobFilter(state="running"))] == ["0"]


def test_a_failed_job_is_queued_again(store: JobStore) -> None:
    store.add(job("a", webhook="http://x"))
    assert store.requeue("b") is None
    claimed = store.claim()
    assert claimed is not None
    assert store.requeue("a") is None, "it runs"
    store.settle(replace(claimed, state="failed", error={"detail": "d"}, expires=5.0, webhook_due=4.0, tiles=3))
    again = store.requeue("a")
    assert again is not None
    assert (again.state, again.attempts, again.error, again.expires, again.webhook_due, again.tiles) == (
        "queued",
        0,
        None,
        None,
        None,
        None,
    )


def test_attempts_of_deliveries(store: JobStore, open_store: Callable[[], JobStore]) -> None:
    url = "http://host/a?X-Amz-Signature=1&b=?"
    added = store.add(job("a", webhook="http://x", webhook_due=5.0, result_url=url, upload_due=6.0))
    other = open_store()
    assert [store.webhooks_due(4.9, 8, 0.3), store.uploads_due(5.9, 8, 0.3)] == [[], []]
    assert [each.id for each in store.webhooks_due(5.0, 8, 0.3)] == ["a"]
    assert [each.id for each in store.uploads_due(6.0, 8, 0.3)] == ["a"]
    if store.shared:
        assert [other.webhooks_due(5.0, 8), other.uploads_due(6.0, 8)] == [[], []], "one replica makes the attempt"
        time.sleep(0.35)
    assert [each.id for each in other.webhooks_due(5.0, 8, 60.0)] == ["a"], "the replica that held it is gone"
    other.told("a", 7.0)
    store.upload_tried(added, "refused", 8.0)
    tried = store.get("a")
    assert tried is not None
    assert (tried.webhook_tries, tried.webhook_due, tried.upload_tries, tried.upload_due, tried.upload_error) == (
        1,
        7.0,
        1,
        8.0,
        "refused",
    )
    assert tried.result_url == url
    assert [each.id for each in store.webhooks_due(7.0, 8)] == ["a"]
    store.upload_tried(tried, None, None)
    sent = store.get("a")
    assert sent is not None
    assert (sent.result_url, sent.upload_error) == ("http://host/a", None)
    assert sent.uploaded == pytest.approx(store.now(), abs=5)


def test_signs_of_life_are_told(store: JobStore) -> None:
    store.add(job("a", lease_s=10.0))
    store.add(job("b"))
    assert [(each.id, each.renewed) for each in store.leased()] == [("a", 0.0)]
    store.renew("a")
    assert [each.renewed for each in store.leased()] == [pytest.approx(store.now(), abs=5)]
