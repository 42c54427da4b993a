"""The database table of jobs, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from upconv.service.jobs.job import Job
from upconv.service.parameters import UpscaleQuery

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    "order" TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    bytes_in INTEGER NOT NULL,
    created REAL NOT NULL,
    idempotency_key TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    finished REAL,
    expires REAL,
    bytes_out INTEGER NOT NULL,
    result TEXT NOT NULL,
    error TEXT
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS by_idempotency_key ON jobs (owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS by_state ON jobs (state, created);
"""
_JSON = ("order", "result", "error")


class JobStore:
    """The table of jobs. Each call is one transaction. Threads may share a store."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        # FULL: a job that was accepted with 202 is on the disk, even if the machine loses power.
        self._database.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}")

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def add(self, job: Job) -> Job:
        """Insert `job` and return it, or return the job of its owner with the same idempotency key."""
        row = _row(job)
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        added = self._run(f"INSERT INTO jobs ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING *", *row.values())  # noqa: S608, the names are our own
        return added[0] if added else self.by_key(job.owner, job.idempotency_key or "") or self.add(job)

    def get(self, id: str) -> Job | None:
        """Return the job with this id, or `None`."""
        return next(iter(self._run("SELECT * FROM jobs WHERE id = ?", id)), None)

    def by_key(self, owner: str, idempotency_key: str) -> Job | None:
        """Return the job of `owner` with this idempotency key, or `None`."""
        return next(iter(self._run("SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?", owner, idempotency_key)), None)

    def claim(self) -> Job | None:
        """Mark the oldest queued job as running and return it, or return `None` if no job is queued."""
        return next(
            iter(
                self._run(
                    "UPDATE jobs SET state = 'running', attempts = attempts + 1 WHERE id = "
                    "(SELECT id FROM jobs WHERE state = 'queued' ORDER BY created, id LIMIT 1) RETURNING *"
                )
            ),
            None,
        )

    def finish(self, job: Job) -> bool:
        """Store the outcome of a job; return false if the job was deleted in the meantime."""
        row = _row(job)
        return bool(
            self._run(
                "UPDATE jobs SET state = ?, finished = ?, expires = ?, bytes_out = ?, result = ?, error = ? WHERE id = ? RETURNING *",
                *(row[name] for name in ("state", "finished", "expires", "bytes_out", "result", "error")),
                job.id,
            )
        )

    def requeue(self, id: str) -> None:
        """Queue a running job again, and do not count its last start."""
        self._run("UPDATE jobs SET state = 'queued', attempts = attempts - 1 WHERE id = ? AND state = 'running'", id)

    def recover(self) -> None:
        """Queue the jobs that ran when the last process ended."""
        self._run("UPDATE jobs SET state = 'queued' WHERE state = 'running'")

    def delete(self, id: str) -> bool:
        """Delete a job; return false if there is none."""
        return bool(self._run("DELETE FROM jobs WHERE id = ? RETURNING *", id))

    def expired(self, now: float) -> list[Job]:
        """Return the jobs that expired before `now`, in seconds since 1970."""
        return self._run("SELECT * FROM jobs WHERE expires <= ?", now)

    def ahead(self, job: Job) -> int:
        """Return the number of jobs that run before a queued job."""
        if job.state != "queued":
            return 0
        return self._number(
            "SELECT count(*) FROM jobs WHERE state = 'running' OR (state = 'queued' AND (created, id) < (?, ?))",
            *(job.created, job.id),
        )

    def waiting(self) -> int:
        """Return the number of jobs that are queued or running."""
        return self._number("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")

    def bytes(self) -> int:
        """Return the bytes of all stored pictures and results."""
        return self._number(
            "SELECT coalesce(sum(bytes_out + CASE WHEN state IN ('queued', 'running') THEN bytes_in ELSE 0 END), 0) FROM jobs"
        )

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        with self._lock:
            return {row["id"] for row in self._database.execute("SELECT id FROM jobs")}

    def _run(self, statement: str, *values: Any) -> list[Job]:
        with self._lock:
            return [_job(row) for row in self._database.execute(statement, values).fetchall()]

    def _number(self, statement: str, *values: Any) -> int:
        with self._lock:
            return int(self._database.execute(statement, values).fetchone()[0])


def _row(job: Job) -> dict[str, Any]:
    row = {**job.__dict__, "order": job.order.model_dump()}
    return {name: json.dumps(value) if name in _JSON and value is not None else value for name, value in row.items()}


def _job(row: sqlite3.Row) -> Job:
    values = {name: json.loads(row[name]) if name in _JSON and row[name] is not None else row[name] for name in row.keys()}  # noqa: SIM118, a Row is not a mapping
    return replace(Job(**values), order=UpscaleQuery(**values["order"]))
