from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upconv.service.jobs.job import Job
from upconv.service.jobs.retries import LONGEST_PAUSE_S, put_back
from upconv.service.jobs.store import Backlog, JobStore
from upconv.service.parameters import UpscaleQuery

ORDER = UpscaleQuery(model="model", scale=2.5, format="png")


def job(id: str, **values: Any) -> Job:
    return Job(**{"id": id, "owner": "ann", "order": ORDER, "fingerprint": "f", "bytes_in": 10, "created": 1.0, **values})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    store = JobStore(tmp_path / "jobs.sqlite3")
    yield store
    store.close()


def test_what_is_kept_comes_back(store: JobStore, tmp_path: Path) -> None:
    kept = store.add(job("a", idempotency_key="k"))
    done = replace(
        kept, state="done", finished=2.0, expires=3.0, bytes_out=7, result={"ETag": "x"}, error={"detail": "it's broken"}
    )
    assert store.claim()
    assert store.settle(done)
    store.close()
    again = JobStore(tmp_path / "jobs.sqlite3")
    assert again.get("a") == done
    assert again.by_key("ann", "k") == done
    assert again.get("b") is None
    again.close()


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
    assert store.settle(put_back(replace(again_later, state="running")))
    again = store.claim()
    assert again is not None
    assert (again.id, again.attempts) == ("b", 1), "a calm stop is no attempt"


def test_one_job_a_key_and_owner(store: JobStore) -> None:
    first = store.add(job("a", idempotency_key="k"))
    assert store.add(job("b", idempotency_key="k")) == first
    assert store.add(job("c", idempotency_key="k", owner="bob")).id == "c"
    assert store.add(job("d")).id == "d"
    assert store.ids() == {"a", "c", "d"}
    assert store.delete("a")
    assert not store.delete("a")
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
