"""A service as a process, for tests that inject faults: it accepts jobs before, during and after a fault, and all must be done."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

DRAIN_S = 3
READY_S = 60
DONE_S = 90
ACCEPTED = 202


@dataclass
class Row:
    """One row of the table: a fault, and what was lost."""

    fault: str
    ended: int = 0
    """The number of times that the process ended without being told."""
    accepted: int = 0
    """The number of accepted jobs."""
    lost: int = 0
    """The number of these that are not done at the end, or whose result is not a picture."""
    stop_s: float | None = None
    """Seconds from SIGTERM to the end of the process."""
    notes: list[str] = field(default_factory=list)


class FaultyService:
    """The command `upconv serve` on a free port. `settings` are environment variables without their prefix."""

    def __init__(self, folder: Path, models: Sequence[Path], row: Row, picture: bytes, **settings: object) -> None:
        self.folder, self.row, self.picture = folder, row, picture
        self.jobs = folder / "jobs"
        self.log = folder / "log"
        self.output: Any = None
        """Standard output and error of the process; a file in the folder by default."""
        self._environment = {
            "UPCONV_MODELS": os.pathsep.join(map(str, models)),
            "UPCONV_PORT": "0",
            "UPCONV_WORKERS": "1",
            "UPCONV_JOBS_DIR": str(self.jobs),
            "UPCONV_DRAIN_S": str(DRAIN_S),
            "UPCONV_TILE_PX": "64",
            **{f"UPCONV_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.ids: list[str] = []
        """The ids of the accepted jobs."""
        self.process: subprocess.Popen[bytes]
        self.client = httpx.Client()

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "upconv", "serve"],
                env={**os.environ, **self._environment},
                stdout=file,
                stderr=self.output or file,
            )
        self.client = httpx.Client(base_url=self._address(offset), timeout=30)

    def _address(self, offset: int) -> str:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if match := re.search(r"ready on (http://\S+)", self.text()[offset:]):
                return match[1]
            time.sleep(0.05)
        raise AssertionError(f"the service is not ready: {self.text()[-2000:]}")

    def text(self) -> str:
        """Return the log so far."""
        return self.log.read_text(errors="replace")

    @property
    def port(self) -> int:
        """The port of the service."""
        return int(self.client.base_url.port or 0)

    def submit(self, count: int = 2, **query: object) -> int:
        """Submit jobs, and return the number of accepted ones. A refusal must be 503 with Retry-After."""
        accepted = 0
        for _ in range(count):
            answer = self.client.post("/v1/jobs", content=self.picture, params={name: str(v) for name, v in query.items()})
            if answer.status_code == ACCEPTED:
                self.ids.append(answer.json()["id"])
                accepted += 1
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) >= 1
        self.row.accepted += accepted
        return accepted

    def upscale(self, **query: object) -> int:
        """Upscale a picture, and return the status."""
        return self.client.post(
            "/v1/upscale", content=self.picture, params={name: str(value) for name, value in query.items()}
        ).status_code

    def alive(self) -> bool:
        """Return whether the process runs and answers `/healthz`."""
        return self.process.poll() is None and self.client.get("/healthz").status_code == 200

    def recovered(self, seconds: float = 30) -> bool:
        """Return whether the service upscales a picture within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.HTTPError):
                if self.client.get("/readyz").status_code == 200 and self.upscale() == 200:
                    return True
            time.sleep(0.2)
        return False

    def finish(self) -> None:
        """Wait for all accepted jobs, and count those that are lost."""
        deadline = time.monotonic() + DONE_S
        waiting = set(self.ids)
        while waiting and time.monotonic() < deadline and self.process.poll() is None:
            waiting -= {id for id in waiting if self._done(id)}
            time.sleep(0.2)
        self.row.lost = len(waiting)
        self.row.notes += [
            f"{id}: {self.client.get(f'/v1/jobs/{id}').text[:300]}" for id in sorted(waiting)[:2] if self.alive()
        ]

    def _done(self, id: str) -> bool:
        with suppress(httpx.HTTPError):
            if self.client.get(f"/v1/jobs/{id}").json().get("state") == "done":
                return self.client.get(f"/v1/jobs/{id}/result").status_code == 200
        return False

    def kill(self) -> None:
        """End the process at once, as the kernel does."""
        self.client.close()
        self.process.kill()
        self.process.wait()

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Stop the process, and return its exit code. The time that it takes goes into the row."""
        started = time.monotonic()
        self.client.close()
        self.process.send_signal(signal_number)
        try:
            code = self.process.wait(DRAIN_S + 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.row.stop_s = time.monotonic() - started
        return code


@contextmanager
def faulty_service(
    row: Row, models: Sequence[Path], picture: bytes, folder: Path, **settings: object
) -> Iterator[FaultyService]:
    """Run a service; at the end its jobs must be done, and SIGTERM must end it in time with exit code 0."""
    service = FaultyService(folder, models, row, picture, **settings)
    try:
        service.start()
        yield service
        if service.process.poll() is not None:
            row.ended += 1
        service.finish()
        code = service.stop()
    finally:
        service.kill()
        print(service.text()[-3000:])
    assert row.ended == 0, "the process ended"
    assert row.lost == 0, row.notes
    assert code == 0
    assert row.stop_s is not None
    assert row.stop_s <= DRAIN_S + 1.5
