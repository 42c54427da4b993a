"""The service as a process, killed while it works."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx

from upconv.runtime import Upscaler

PROGRAM = "from upconv.service import Settings, serve; serve(Settings())"


@contextmanager
def process(models: Path, folder: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    environment = {
        **os.environ,
        "UPCONV_MODELS": str(models),
        "UPCONV_PORT": "0",
        "UPCONV_WORKERS": "1",
        "UPCONV_JOBS_DIR": str(folder),
        "UPCONV_TILE_PX": "32",
        "UPCONV_LOG_LEVEL": "warning",
    }
    with subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        match = re.search(r"http://\S+", running.stdout.readline())
        assert match is not None
        try:
            with httpx.Client(base_url=match[0]) as client:
                yield running, client
        finally:
            running.kill()


def test_kill_in_the_middle_of_ten_jobs(nearest_x2: Path, tmp_path: Path, encoded: Callable[..., bytes]) -> None:
    pictures = [encoded("png", 500 + 10 * n, 600) for n in range(10)]
    with Upscaler(nearest_x2, workers=1) as upscaler:
        expected = [upscaler.upscale(picture) for picture in pictures]
    with process(nearest_x2, tmp_path) as (running, client):
        ids = [client.post("/v1/jobs", content=picture).json()["id"] for picture in pictures]
        while _state(client, ids[1]) != "done":
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
    with closing(sqlite3.connect(tmp_path / "jobs.sqlite3")) as database:
        states = dict(database.execute("SELECT state, count(*) FROM jobs GROUP BY state"))
    assert sum(states.values()) == 10
    assert states["done"] < 10, "the kill came in the middle"
    with process(nearest_x2, tmp_path) as (running, client):
        for id in ids:
            while _state(client, id) in ("queued", "running"):
                time.sleep(0.02)
            assert _state(client, id) == "done"
        results = [client.get(f"/v1/jobs/{id}/result").content for id in ids]
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 0
    assert results == expected


def _state(client: httpx.Client, id: str) -> str:
    return str(client.get(f"/v1/jobs/{id}").json()["state"])
