from __future__ import annotations

from upconv.service.jobs.job import Job
from upconv.service.jobs.leases import Leases
from upconv.service.parameters import UpscaleQuery


def job(id: str, lease_s: float | None) -> Job:
    return Job(id, "", UpscaleQuery(), "f", 1, 1.0, lease_s=lease_s)


def test_a_lease_lapses_after_its_time_of_silence() -> None:
    now = 100.0
    leases = Leases(lambda: now)
    short, long, never = job("short", 10.0), job("long", 20.0), job("never", None)
    for each in (short, long, never):
        leases.renew(each)
    now = 110.0
    assert leases.lapsed([short, long]) == []
    now = 110.1
    assert leases.lapsed([short, long, never]) == [short]
    leases.renew(long)
    now = 130.0
    assert leases.lapsed([long]) == []


def test_after_a_restart_leases_start_anew() -> None:
    now = 100.0
    leases = Leases(lambda: now)
    assert leases.lapsed([job("a", 10.0)]) == []
    now = 110.1
    assert leases.lapsed([job("a", 10.0)]) == [job("a", 10.0)]


def test_deleted_jobs_are_forgotten() -> None:
    leases = Leases(lambda: 0.0)
    leases.renew(job("a", 10.0))
    leases.lapsed([])
    assert leases._renewed == {}
