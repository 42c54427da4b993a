"""The database table of jobs."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from upconv.service.errors import StorageError
from upconv.service.jobs.database import JobDatabase
from upconv.service.jobs.job import Job, JobFilter
from upconv.service.jobs.retries import LONGEST_PAUSE_S
from upconv.service.jobs.turns import Turns
from upconv.service.parameters import UpscaleQuery

_JSON = ("order", "result", "error")
_CHANGING = (
    "state",
    "attempts",
    "troubles",
    "due",
    "finished",
    "expires",
    "bytes_out",
    "result",
    "error",
    "tiles_done",
    "tiles",
    "webhook_due",
    "webhook_tries",
    "upload_due",
)
"""The columns that change after a job is accepted."""


@dataclass(frozen=True)
class Backlog:
    """The jobs that are queued or running."""

    jobs: int = 0
    oldest: float | None = None
    """Time at which the oldest of them was accepted, in seconds since 1970."""


class JobStore:
    """The table of jobs. Each call is one transaction. Threads may share a store. Each method raises `StorageError`."""

    def __init__(self, path: Path) -> None:
        self.database = JobDatabase(path)
        self._turns = Turns()
        self.backlog = Backlog()
        """As of the last change, so that metrics never wait for the database."""

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def add(self, job: Job) -> Job:
        """Insert `job` and return it, or return the job of its owner with the same idempotency key."""
        row = _row(job)
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        added = self._change(f"INSERT INTO jobs ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING *", *row.values())  # noqa: S608, the names are our own
        return added[0] if added else self.by_key(job.owner, job.idempotency_key or "") or self.add(job)

    def get(self, id: str) -> Job | None:
        """Return the job with this id, or `None`."""
        return _first(self._find("SELECT * FROM jobs WHERE id = ?", id))

    def by_key(self, owner: str, idempotency_key: str) -> Job | None:
        """Return the job of `owner` with this idempotency key, or `None`."""
        return _first(self._find("SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?", owner, idempotency_key))

    def claim(self) -> Job | None:
        """Mark a job that is due as running and return it, or return `None`.

        Owners take turns, and the oldest job of an owner comes first.
        """
        due, values = "state = 'queued' AND (due <= ? OR due > ?)", _due()
        owners = self.database.read(f"SELECT owner FROM jobs WHERE {due} GROUP BY owner ORDER BY min(created)", *values)  # noqa: S608
        owner = self._turns.next(row["owner"] for row in owners)
        if owner is None:
            return None
        claimed = self._change(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = "  # noqa: S608
            f"(SELECT id FROM jobs WHERE {due} AND owner = ? ORDER BY created, id LIMIT 1) RETURNING *",
            *values,
            owner,
        )
        self._turns.took(owner)
        return _first(claimed)

    def next_due(self) -> float | None:
        """Return the time at which the next queued job is due, in seconds since 1970; `None` if none is queued."""
        rows = self.database.read("SELECT min(due) AS due FROM jobs WHERE state = 'queued'")
        return None if rows[0]["due"] is None else float(rows[0]["due"])

    def settle(self, job: Job) -> bool:
        """Store what became of a running job; return false if the job was deleted in the meantime."""
        row, marks = _row(job), ", ".join(f"{name} = ?" for name in _CHANGING)
        values = (row[name] for name in _CHANGING)
        settled = self._change(f"UPDATE jobs SET {marks} WHERE id = ? AND state = 'running' RETURNING *", *values, job.id)  # noqa: S608
        return bool(settled) or self.get(job.id) is not None

    def requeue(self, id: str) -> Job | None:
        """Queue a failed job again, and a queued one without its pause; return `None` if it is neither."""
        return _first(
            self._change(
                "UPDATE jobs SET state = 'queued', attempts = 0, troubles = 0, due = 0, finished = NULL, expires = NULL, "
                "error = NULL, tiles_done = 0, tiles = NULL, webhook_due = NULL, webhook_tries = 0 "
                "WHERE id = ? AND state IN ('failed', 'queued') RETURNING *",
                id,
            )
        )

    def running(self) -> list[Job]:
        """Return the jobs that are marked as running."""
        return self._find("SELECT * FROM jobs WHERE state = 'running'")

    def delete(self, id: str) -> bool:
        """Delete a job; return false if there is none."""
        return bool(self._change("DELETE FROM jobs WHERE id = ? RETURNING *", id))

    def expired(self, now: float) -> list[Job]:
        """Return the jobs that expired before `now`, in seconds since 1970."""
        return self._find("SELECT * FROM jobs WHERE expires <= ?", now)

    def leased(self) -> list[Job]:
        """Return the jobs that are deleted soon after their owner went away."""
        return self._find("SELECT * FROM jobs WHERE lease_s IS NOT NULL")

    def webhooks_due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs whose URL is to be told by `now`, in seconds since 1970."""
        return self._find("SELECT * FROM jobs WHERE webhook_due <= ? ORDER BY webhook_due LIMIT ?", now, limit)

    def told(self, id: str, due: float | None) -> None:
        """Count an attempt to tell the URL of a job, and set the time of the next one; `None` for none."""
        self._change("UPDATE jobs SET webhook_tries = webhook_tries + 1, webhook_due = ? WHERE id = ? RETURNING *", due, id)

    def uploads_due(self, now: float, limit: int) -> list[Job]:
        """Return the jobs whose result is to be sent by `now`, in seconds since 1970."""
        return self._find("SELECT * FROM jobs WHERE upload_due <= ? ORDER BY upload_due LIMIT ?", now, limit)

    def upload_tried(self, id: str, error: str | None, due: float | None) -> None:
        """Count an attempt to send a result, with its error, or `None` if it succeeded, and the time of the next one.

        After the last attempt, the query of the URL is forgotten, because it lets its holder write to the URL.
        """
        uploaded = time.time() if error is None else None
        kept = "result_url" if due is not None else "substr(result_url, 1, instr(result_url || '?', '?') - 1)"
        self._change(
            f"UPDATE jobs SET upload_tries = upload_tries + 1, upload_error = ?, upload_due = ?, uploaded = ?, result_url = {kept} "  # noqa: S608
            "WHERE id = ? RETURNING *",
            *(error, due, uploaded, id),
        )

    def of_owner(self, owner: str, chosen: JobFilter) -> list[Job]:
        """Return the jobs of `owner`, the newest first."""
        state, before = ("state = ?", [chosen.state]) if chosen.state else ("true", [])
        page, start = ("(created, id) < (?, ?)", [*chosen.after]) if chosen.after else ("true", [])
        return self._find(
            f"SELECT * FROM jobs WHERE owner = ? AND {state} AND {page} ORDER BY created DESC, id DESC LIMIT ?",  # noqa: S608
            *(owner, *before, *start, chosen.limit),
        )

    def ahead(self, job: Job) -> int:
        """Return the number of jobs that run before a queued job, as owners take turns."""
        if job.state != "queued":
            return 0
        rows = self.database.read(
            "SELECT owner, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY owner ORDER BY min(created)"
        )
        position = self._number(
            "SELECT count(*) FROM jobs WHERE state = 'queued' AND owner = ? AND (created, id) < (?, ?)",
            *(job.owner, job.created, job.id),
        )
        running = self._number("SELECT count(*) FROM jobs WHERE state = 'running'")
        return running + self._turns.ahead(job.owner, position, {row["owner"]: row["jobs"] for row in rows})

    def waiting(self, owner: str | None = None) -> int:
        """Return the number of jobs of `owner`, or of all owners, that are queued or running."""
        whose, values = ("true", []) if owner is None else ("owner = ?", [owner])
        return self._number(f"SELECT count(*) FROM jobs WHERE state IN ('queued', 'running') AND {whose}", *values)  # noqa: S608

    def bytes(self) -> int:
        """Return the bytes of all stored pictures and results."""
        return self._number("SELECT coalesce(sum(bytes_out + CASE WHEN state = 'done' THEN 0 ELSE bytes_in END), 0) FROM jobs")

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        return {row["id"] for row in self.database.read("SELECT id FROM jobs")}

    def _change(self, statement: str, *values: Any) -> list[Job]:
        jobs = [_job(row) for row in self.database.write(statement, *values)]
        with suppress(StorageError):  # the change itself is stored
            row = self.database.read("SELECT count(*), min(created) FROM jobs WHERE state IN ('queued', 'running')")[0]
            self.backlog = Backlog(*row)
        return jobs

    def _find(self, query: str, *values: Any) -> list[Job]:
        return [_job(row) for row in self.database.read(query, *values)]

    def _number(self, query: str, *values: Any) -> int:
        return int(self.database.read(query, *values)[0][0])


def _due() -> tuple[float, float]:
    """Return now, and a time that no pause reaches. A job that is due after that has a time from before the clock was set back."""
    now = time.time()
    return now, now + 2 * LONGEST_PAUSE_S


def _first(jobs: Collection[Job]) -> Job | None:
    return next(iter(jobs), None)


def _row(job: Job) -> dict[str, Any]:
    row = {**job.__dict__, "order": job.order.model_dump()}
    return {name: json.dumps(value) if name in _JSON and value is not None else value for name, value in row.items()}


def _job(row: sqlite3.Row) -> Job:
    values = {name: json.loads(row[name]) if name in _JSON and row[name] is not None else row[name] for name in row.keys()}  # noqa: SIM118, a Row is not a mapping
    return replace(Job(**values), order=UpscaleQuery(**values["order"]))
