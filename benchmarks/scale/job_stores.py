"""What a job costs in the folder of one process, and in PostgreSQL with files in a shared folder or in S3.

The pictures have 16x16 pixels and go to `nearest-x2`, so that nearly nothing is computed.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
from benchmarks.service.process import Service, photograph, running, tree_cpu_s
from tests.service.object_store import ObjectStore, object_store
from tests.service.postgres import PostgresServer, postgres_server

JOBS_A_ROUND = 100
ENDED = {"done", "failed"}


@dataclass(frozen=True)
class _Candidate:
    service: Service
    postgres: PostgresServer | None = None
    bucket: ObjectStore | None = None


def jobs(rounds: int) -> dict[str, Any]:
    """Return milliseconds and processor milliseconds per job for each kind of store, and what a job asks of the shared ones."""
    body = photograph(16, 16)
    kinds = {"folder": _folder, "postgres": _postgres, "postgres and s3": _postgres_and_s3}
    with ExitStack() as stack:
        candidates = {kind: stack.enter_context(start()) for kind, start in kinds.items()}
        turns: dict[str, list[dict[str, float]]] = {kind: [] for kind in candidates}
        for number in range(rounds + 1):
            for kind, candidate in candidates.items():
                turn = _turn(candidate, body)
                if number:
                    turns[kind].append(turn)
    return {
        kind: {name: statistics.median(turn[name] for turn in measured) for name in measured[0]}
        for kind, measured in turns.items()
    }


@contextmanager
def _folder() -> Iterator[_Candidate]:
    with running(model="nearest-x2") as service:
        yield _Candidate(service)


@contextmanager
def _postgres() -> Iterator[_Candidate]:
    with postgres_server() as server, tempfile.TemporaryDirectory() as spool:
        settings = {"UPCONV_JOBS_STORE": server.url(), "UPCONV_JOBS_SPOOL": str(Path(spool) / "jobs")}
        with patch.dict(os.environ, settings), running(model="nearest-x2") as service:
            yield _Candidate(service, server)


@contextmanager
def _postgres_and_s3() -> Iterator[_Candidate]:
    with postgres_server() as server, object_store() as bucket:
        settings = {"UPCONV_JOBS_STORE": server.url(), "UPCONV_JOBS_SPOOL": "s3://jobs/spool", **bucket.environment}
        with patch.dict(os.environ, settings), running(model="nearest-x2") as service:
            yield _Candidate(service, server, bucket)


def _turn(candidate: _Candidate, body: bytes) -> dict[str, float]:
    before, started = _spent(candidate), time.perf_counter()
    with httpx.Client(base_url=candidate.service.url, timeout=60) as client:
        ids = [client.post("/v1/jobs", content=body).raise_for_status().json()["id"] for _ in range(JOBS_A_ROUND)]
        accepted = time.perf_counter() - started
        for id in ids:
            while (state := client.get(f"/v1/jobs/{id}").raise_for_status().json()["state"]) not in ENDED:
                time.sleep(0.02)
            assert state == "done", state
            client.get(f"/v1/jobs/{id}/result", follow_redirects=True).raise_for_status()
    seconds, after = time.perf_counter() - started, _spent(candidate)
    found = {name: (after[name] - before[name]) / JOBS_A_ROUND for name in before}
    return {"ms": 1000 * seconds / JOBS_A_ROUND, "accept_ms": 1000 * accepted / JOBS_A_ROUND, **found}


def _spent(candidate: _Candidate) -> dict[str, float]:
    found = {"service_cpu_ms": 1000 * candidate.service.cpu_s}
    if candidate.postgres is not None:
        found["postgres_cpu_ms"] = 1000 * _with_ended(candidate.postgres.pid)
        rows = candidate.postgres.query("SELECT xact_commit FROM pg_stat_database WHERE datname = 'postgres'")
        found["transactions"] = float(str(rows[0][0]))
    if candidate.bucket is not None:
        found["s3_requests"] = float(candidate.bucket.requests)
    return found


def _with_ended(pid: int) -> float:
    """Return the processor seconds of a process, its running children, and those that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return tree_cpu_s(pid) + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
