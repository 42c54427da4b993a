"""The service against its own engine and against other servers of the same file: 512x512 JPEG to JPEG, 8 clients.

All candidates run in turns, and each figure is the median of its turns. On a machine with other work, a candidate with more
threads gets more of the machine; then the processor time per picture is a fairer measure. The other servers run in a separate
environment: `python -m venv peers && peers/bin/pip install litserve bentoml onnxruntime pillow`, given as `--peers peers/bin`.
Each runs twice: with the defaults of its documentation, and with a worker of one thread for each core. All serve the same
float32 file. "by name" is the service with the model's name, which uses the int8 form if it is faster.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from benchmarks.service.process import percentile, photograph, print_facts, running, tree_cpu_s

from upconv.models import bundled
from upconv.runtime.cores import available_cores

PEERS = Path(__file__).parent / "peers"
CLIENTS = 8
OURS = "upconv"


@dataclass
class _Turns:
    """The measurements of one candidate in all of its turns."""

    per_s: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    """Latency of each picture."""
    cpu_s: list[float] = field(default_factory=list)
    """Processor seconds per picture in each turn, over all processes of the server."""


@dataclass(frozen=True)
class _Candidate:
    once: Callable[[], None]
    pid: int
    """The process of the server, or the parent of its processes."""


def compare(peers: Path | None, rounds: int, turn_s: float, side: int = 512) -> bool:
    """Return true if the service has at least 0.90 of its engine's throughput, and beats each peer.

    To beat a peer, it needs at least 1.15 of its throughput, and a p99 latency that is not higher.
    """
    body, model = photograph(side, side), bundled("upsample-s-x2")
    with ExitStack() as stack:
        candidates = {"engine": stack.enter_context(_engine(model, side))}
        for name, option in ((OURS, str(model)), (f"{OURS}, by name", model.stem)):
            service = stack.enter_context(running(model=option))
            candidates[name] = _Candidate(_poster(f"{service.url}/v1/upscale", body), service.pid)
        for kind, workers in (("", 0), (", a worker per core", available_cores())) if peers is not None else ():
            assert peers is not None
            url, pid = stack.enter_context(_peer([str(peers / "python"), "litserve_app.py"], model, workers))
            candidates[f"litserve{kind}"] = _Candidate(_poster(f"{url}/predict", body, form=True), pid)
            url, pid = stack.enter_context(_peer([str(peers / "bentoml"), "serve", "bentoml_app:Upscale"], model, workers))
            candidates[f"bentoml{kind}"] = _Candidate(_poster(f"{url}/upscale", body, form=True), pid)
        turns = {name: _Turns() for name in candidates}
        for number in range(rounds + 1):
            for name, candidate in candidates.items():
                _turn(candidate, turns[name] if number else _Turns(), turn_s)
    return _judge(turns)


def _judge(turns: dict[str, _Turns]) -> bool:
    ours, passed = turns[OURS], True
    for name, each in turns.items():
        # Within a round, so that other work of the machine affects both.
        ratio = statistics.median(mine / other for mine, other in zip(ours.per_s, each.per_s, strict=True))
        print_facts(
            candidate=name,
            images_per_s=statistics.median(each.per_s),
            upconv_is=ratio,
            cpu_s_per_image=statistics.median(each.cpu_s),
            upconv_by_cpu=statistics.median(each.cpu_s) / statistics.median(ours.cpu_s),
            p50_s=percentile(each.seconds, 0.5),
            p99_s=percentile(each.seconds, 0.99),
        )
        if name == "engine":
            passed &= ratio >= 0.9
        elif not name.startswith(OURS):
            passed &= ratio >= 1.15 and percentile(ours.seconds, 0.99) <= percentile(each.seconds, 0.99)
    return passed


def _turn(candidate: _Candidate, turns: _Turns, turn_s: float) -> None:
    until = time.perf_counter() + turn_s
    done: list[float] = []

    def client(_: int) -> None:
        while (began := time.perf_counter()) < until:
            candidate.once()
            done.append(time.perf_counter() - began)

    started, cpu_s = time.perf_counter(), tree_cpu_s(candidate.pid)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    turns.cpu_s.append((tree_cpu_s(candidate.pid) - cpu_s) / len(done))
    turns.per_s.append(len(done) / (time.perf_counter() - started))
    turns.seconds.extend(done)


@contextmanager
def _engine(model: Path, side: int) -> Iterator[_Candidate]:
    """Run the engine alone in its own process, which computes a picture for each line on its standard input."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.service.engine", str(model), str(side)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        lock, waiting = threading.Lock(), list[threading.Event]()

        def answers() -> None:
            assert process.stdout is not None
            for _ in process.stdout:
                waiting.pop(0).set()

        threading.Thread(target=answers, daemon=True).start()

        def once() -> None:
            done = threading.Event()
            with lock:
                waiting.append(done)
                assert process.stdin is not None
                process.stdin.write(b"\n")
                process.stdin.flush()
            assert done.wait(60)

        try:
            yield _Candidate(once, process.pid)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _poster(url: str, body: bytes, *, form: bool = False) -> Callable[[], None]:
    client = httpx.Client(timeout=60, limits=httpx.Limits(max_connections=CLIENTS))

    def post() -> None:
        content: Any = {"files": {"file": ("in.jpg", body, "image/jpeg")}} if form else {"content": body}
        answer = client.post(url, **content)
        answer.raise_for_status()
        assert answer.headers["content-type"] == "image/jpeg"

    return post


@contextmanager
def _peer(command: list[str], model: Path, workers: int) -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {"MODEL": str(model), "PORT": str(port), "WORKERS": str(workers)}
    environment = {**os.environ, **settings, "BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    arguments = [*command, *(["--port", str(port)] if "serve" in command else [])]
    quiet: Any = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(arguments, cwd=PEERS, env=environment, start_new_session=True, **quiet) as process:
        try:
            _wait(port, process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the group, because the server starts workers


def _wait(port: int, process: subprocess.Popen[bytes], timeout_s: float = 90) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/docs", timeout=2).status_code < 500:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{process.args!r} did not answer within {timeout_s:g} s")
