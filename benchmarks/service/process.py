"""The service in its own process, and its use of processor and memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = ROOT / "tests" / "data" / "rocket.jpg"


@dataclass(frozen=True)
class Service:
    """A running service."""

    pid: int
    url: str
    ready_s: float
    """Seconds from the start of the process until it reports that it is ready."""
    ready_cpu_s: float
    """Processor seconds of that start."""

    @property
    def rss_mb(self) -> float:
        """Return its resident memory, in MiB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        return 0.0

    @property
    def cpu_s(self) -> float:
        """Return its processor time so far, in seconds."""
        return cpu_s(self.pid)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int) -> float:
    """Return the processor time of a process and of its running descendants, in seconds."""
    children = [int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]
    return cpu_s(pid) + sum(tree_cpu_s(child) for child in children)


@contextmanager
def running(*options: str, model: str | None = "upsample-s-x2") -> Iterator[Service]:
    """Run `upconv serve` on a free port during the block; `None` for all bundled models."""
    with tempfile.TemporaryDirectory() as jobs:
        command = [sys.executable, "-m", "upconv", "serve", "--port", "0", "--jobs-dir", jobs, *options]
        command += [] if model is None else ["--model", model]
        started = time.perf_counter()
        with subprocess.Popen(
            [*command, "--log-level", "warning"], stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        ) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            try:
                yield Service(process.pid, url, time.perf_counter() - started, cpu_s(process.pid))
            finally:
                process.terminate()
                process.wait(60)


def photograph(width: int, height: int) -> bytes:
    """Return the photograph at this size, as a JPEG."""
    from upconv.runtime import codecs
    from upconv.runtime.resampling import resize

    picture = codecs.read(PHOTOGRAPH)
    return codecs.encode(picture.with_samples(resize(picture.samples, width, height)), "jpeg")[0]


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share of the values is, or NaN without values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def print_facts(**facts: object) -> None:
    """Print facts as one line of JSON."""
    print(
        json.dumps({name: round(value, 3) if isinstance(value, float) else value for name, value in facts.items()}), flush=True
    )


def health_ms(client: httpx.Client) -> float:
    """Return the latency of `/healthz`, in milliseconds."""
    started = time.perf_counter()
    client.get("/healthz").raise_for_status()
    return (time.perf_counter() - started) * 1000
