"""The database table of jobs."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

from upconv.service.errors import StorageError
from upconv.service.jobs.job import Job, JobFilter, JobProgress, without_query
from upconv.service.jobs.retries import LONGEST_PAUSE_S
from upconv.service.jobs.schema import JobDatabase, Row
from upconv.service.jobs.turns import Turns
from upconv.service.parameters import UpscaleQuery

CLAIM_S = 30.0
"""Seconds after which the jobs of a replica that is silent go to another one."""

_JSON = ("order", "result", "error")
_FIELDS = tuple(field.name for field in fields(Job))
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


_DUE = f"state = 'queued' AND (due <= now_s() OR due > now_s() + {2 * LONGEST_PAUSE_S})"
"""A job that is due after any pause has a time from before the clock was set back."""


@dataclass(frozen=True)
class Backlog:
    """The jobs that are queued or running."""

    jobs: int = 0
    oldest: float | None = None
    """Time at which the oldest of them was accepted, in seconds since 1970."""


class JobStore:
    """The table of jobs. Each call is one transaction. Threads may share a store. Each method raises `StorageError`."""

    def __init__(self, database: JobDatabase, claim_s: float = CLAIM_S) -> None:
        self.database, self._claim_s = database, claim_s
        self._turns = Turns()
        self.backlog = Backlog()
        """As of the last change, so that metrics never wait for the database."""

    @property
    def shared(self) -> bool:
        """True if several replicas of the service use the store."""
        return self.database.shared

    def now(self) -> float:
        """Return the time of the database in seconds since 1970. All times of jobs are of this clock."""
        return self.database.now()

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def add(self, job: Job) -> Job:
        """Insert `job` and return it, or return the job of its owner with the same idempotency key."""
        row = _row(job)
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        added = self._change(f"INSERT INTO jobs ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING RETURNING *", *row.values())  # noqa: S608, the names are our own
        return added[0] if added else self.get(job.id) or self.by_key(job.owner, job.idempotency_key or "") or self.add(job)

    def get(self, id: str) -> Job | None:
        """Return the job with this id, or `None`."""
        return _first(self._find("SELECT * FROM jobs WHERE id = ?", id))

    def by_key(self, owner: str, idempotency_key: str) -> Job | None:
        """Return the job of `owner` with this idempotency key, or `None`."""
        return _first(self._find("SELECT * FROM jobs WHERE owner = ? AND idempotency_key = ?", owner, idempotency_key))

    def claim(self) -> Job | None:
        """Mark a job that is due as running and return it, or return `None`.

        Owners take turns, and the oldest job of an owner comes first. No two replicas get the same job.
        """
        owners = self.database.read(f"SELECT owner FROM jobs WHERE {_DUE} GROUP BY owner ORDER BY min(created)")  # noqa: S608
        owner = self._turns.next(row["owner"] for row in owners)
        if owner is None:
            return None
        claimed = self._change(
            "UPDATE jobs SET state = 'running', attempts = attempts + 1, claim = claim + 1, claimed_until = now_s() + ?, "  # noqa: S608
            "tiles_done = 0, tiles = NULL WHERE id = "
            f"(SELECT id FROM jobs WHERE {_DUE} AND owner = ? ORDER BY created, id LIMIT 1 {self.database.locking}) RETURNING *",
            *(self._claim_s, owner),
        )
        self._turns.took(owner)
        return _first(claimed)

    def extend(self, id: str, claim: int, progress: JobProgress) -> bool:
        """Keep a running job for this replica and store its progress; return false if it is no longer this replica's."""
        return bool(
            self.database.write(
                "UPDATE jobs SET claimed_until = now_s() + ?, tiles_done = ?, tiles = ? "
                "WHERE id = ? AND claim = ? AND state = 'running' RETURNING id",
                *(self._claim_s, progress.done, progress.total, id, claim),
            )
        )

    def lapsed(self) -> list[Job]:
        """Return the running jobs of replicas that were silent for too long."""
        return self._find("SELECT * FROM jobs WHERE state = 'running' AND claimed_until < now_s()")

    def give_back(self, job: Job) -> bool:
        """Queue a job of `lapsed` again; return false if its replica spoke, or another one was faster."""
        return bool(
            self._change(
                "UPDATE jobs SET state = 'queued', due = ? "
                "WHERE id = ? AND claim = ? AND state = 'running' AND claimed_until < now_s() RETURNING *",
                *(job.due, job.id, job.claim),
            )
        )

    def next_due(self) -> float | None:
        """Return the time at which the next queued job is due, in seconds since 1970; `None` if none is queued."""
        rows = self.database.read("SELECT min(due) AS due FROM jobs WHERE state = 'queued'")
        return None if rows[0]["due"] is None else float(rows[0]["due"])

    def settle(self, job: Job) -> bool:
        """Store what became of a running job.

        Return false if it was deleted, or given to another replica in the meantime: then the result comes too late.
        """
        row, marks = _row(job), ", ".join(f"{name} = ?" for name in _CHANGING)
        values = (row[name] for name in _CHANGING)
        settled = self._change(
            f"UPDATE jobs SET {marks} WHERE id = ? AND claim = ? AND state = 'running' RETURNING *",  # noqa: S608
            *(*values, job.id, job.claim),
        )
        return bool(settled) or self._is_settled(job)

    def _is_settled(self, job: Job) -> bool:
        """Return true if an earlier call of `settle` succeeded, but its answer was lost."""
        found = self.get(job.id)
        return found is not None and (found.claim, found.state) == (job.claim, job.state)

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

    def delete(self, id: str) -> Job | None:
        """Delete a job and return it as it was; return `None` if there is none."""
        return _first(self._change("DELETE FROM jobs WHERE id = ? RETURNING *", id))

    def expired(self, now: float) -> list[Job]:
        """Return the jobs that expired before `now`, in seconds since 1970."""
        return self._find("SELECT * FROM jobs WHERE expires <= ?", now)

    def leased(self) -> list[Job]:
        """Return the jobs that are deleted soon after their owner went away."""
        return self._find("SELECT * FROM jobs WHERE lease_s IS NOT NULL")

    def renew(self, id: str) -> None:
        """Note a sign of life of the client of a job, for the other replicas."""
        self.database.write("UPDATE jobs SET renewed = now_s() WHERE id = ? RETURNING id", id)

    def webhooks_due(self, now: float, limit: int, hold_s: float = 0.0) -> list[Job]:
        """Return the jobs whose URL is to be told by `now`, in seconds since 1970.

        In a shared store no other replica gets them for `hold_s` seconds, unless the attempt ends before.
        """
        return self._attempts("webhook", now, limit, hold_s)

    def told(self, id: str, due: float | None) -> None:
        """Count an attempt to tell the URL of a job, and set the time of the next one; `None` for none."""
        self.database.write(
            "UPDATE jobs SET webhook_tries = webhook_tries + 1, webhook_due = ?, webhook_held = 0 WHERE id = ? RETURNING id",
            *(due, id),
        )

    def uploads_due(self, now: float, limit: int, hold_s: float = 0.0) -> list[Job]:
        """Return the jobs whose result is to be sent by `now`, as `webhooks_due` does."""
        return self._attempts("upload", now, limit, hold_s)

    def upload_tried(self, job: Job, error: str | None, due: float | None) -> None:
        """Count an attempt to send a result, with its error, or `None` if it succeeded, and the time of the next one.

        After the last attempt, the query of the URL is forgotten, because it lets its holder write to the URL.
        """
        uploaded = self.now() if error is None else None
        url = job.result_url if due is not None else without_query(job.result_url or "")
        self.database.write(
            "UPDATE jobs SET upload_tries = upload_tries + 1, upload_error = ?, upload_due = ?, upload_held = 0, uploaded = ?, "
            "result_url = ? WHERE id = ? RETURNING id",
            *(error, due, uploaded, url, job.id),
        )

    def _attempts(self, kind: str, now: float, limit: int, hold_s: float) -> list[Job]:
        if not self.shared:
            return self._find(f"SELECT * FROM jobs WHERE {kind}_due <= ? ORDER BY {kind}_due LIMIT ?", now, limit)  # noqa: S608
        rows = self.database.write(
            f"UPDATE jobs SET {kind}_held = now_s() + ? WHERE id IN (SELECT id FROM jobs WHERE {kind}_due <= ? "  # noqa: S608
            f"AND {kind}_held <= now_s() ORDER BY {kind}_due LIMIT ? {self.database.locking}) RETURNING *",
            *(hold_s, now, limit),
        )
        return [_job(row) for row in rows]

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
            "SELECT count(*) AS number FROM jobs WHERE state = 'queued' AND owner = ? AND (created, id) < (?, ?)",
            *(job.owner, job.created, job.id),
        )
        running = self._number("SELECT count(*) AS number FROM jobs WHERE state = 'running'")
        return running + self._turns.ahead(job.owner, position, {row["owner"]: row["jobs"] for row in rows})

    def waiting(self, owner: str | None = None) -> int:
        """Return the number of jobs of `owner`, or of all owners, that are queued or running."""
        whose, values = ("true", []) if owner is None else ("owner = ?", [owner])
        return self._number(f"SELECT count(*) AS number FROM jobs WHERE state IN ('queued', 'running') AND {whose}", *values)  # noqa: S608

    def bytes(self) -> int:
        """Return the bytes of all stored pictures and results."""
        return self._number(
            "SELECT coalesce(sum(bytes_out + CASE WHEN state = 'done' THEN 0 ELSE bytes_in END), 0) AS number FROM jobs"
        )

    def ids(self) -> set[str]:
        """Return the ids of all jobs."""
        return {row["id"] for row in self.database.read("SELECT id FROM jobs")}

    def count_backlog(self) -> None:
        """Bring `backlog` up to date."""
        query = "SELECT count(*) AS jobs, min(created) AS oldest FROM jobs WHERE state IN ('queued', 'running')"
        self.backlog = Backlog(**self.database.read(query)[0])

    def _change(self, statement: str, *values: Any) -> list[Job]:
        jobs = [_job(row) for row in self.database.write(statement, *values)]
        with suppress(StorageError):  # the change itself is stored
            self.count_backlog()
        return jobs

    def _find(self, query: str, *values: Any) -> list[Job]:
        return [_job(row) for row in self.database.read(query, *values)]

    def _number(self, query: str, *values: Any) -> int:
        return int(self.database.read(query, *values)[0]["number"])


def _first(jobs: Collection[Job]) -> Job | None:
    return next(iter(jobs), None)


def _row(job: Job) -> dict[str, Any]:
    row = {**job.__dict__, "order": job.order.model_dump()}
    return {name: json.dumps(value) if name in _JSON and value is not None else value for name, value in row.items()}


def _job(row: Row) -> Job:
    """Return a row as a job, without the columns that a later version has added."""
    values = {name: json.loads(row[name]) if name in _JSON and row[name] is not None else row[name] for name in _FIELDS}
    return replace(Job(**values), order=UpscaleQuery(**values["order"]))
