"""Share of the processor time that the service spends outside onnxruntime and libvips, under full load with photographs.

py-spy samples the stacks of Python's threads, native frames included. It takes a thread that waits for a lock for a busy one, so
such samples are left out, and each thread counts by its processor time. That is measured before the samples are taken, because
each sample stops and wakes every thread. Threads without Python's frames are libvips' own.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from benchmarks.service.process import photograph, print_facts, running

CLIENTS = 6
MOST_OUTSIDE = 0.05
_SIZES = ((512, 512), (640, 427), (1024, 683))
_LIBRARIES = ("onnxruntime", "libvips")
_WAITS = re.compile(r"PyThread_acquire_lock|epoll_wait|pthread_cond_|take_gil|sem_wait|futex")
_PYTHON = re.compile(r"^(.*) \((?:\S*/)?([\w.]+/[\w.]+\.py):\d+\)$")
_WARM_S = 3.0
_PER_S = 100


@dataclass(frozen=True)
class _Sample:
    thread: int
    frames: tuple[str, ...]
    """The functions, the outermost first."""
    count: int

    @property
    def waits(self) -> bool:
        return any(_WAITS.search(frame) for frame in self.frames[-6:])

    @property
    def library(self) -> str | None:
        """The library in which the sample is, if it is one of both."""
        return next((name for name in _LIBRARIES if any(name in frame for frame in self.frames)), None)

    @property
    def function(self) -> str:
        """The innermost function in Python."""
        found = (match for frame in reversed(self.frames) if (match := _PYTHON.match(frame)))
        return next((f"{match[1]} ({match[2]})" for match in found), "native")


def profile(seconds: float, folder: Path | None, model: str) -> bool:
    """Return true if at most `MOST_OUTSIDE` of the processor time is spent outside. `folder` holds further photographs."""
    further = sorted(folder.iterdir())[:8] if folder else []
    bodies = [photograph(*size) for size in _SIZES] + [path.read_bytes() for path in further]
    with running("--max-wait-s", "120", model=model) as service, _load(service.url, bodies) as answers:
        time.sleep(_WARM_S)
        before, answered = _threads(service.pid), sum(answers.values())
        time.sleep(seconds)
        after, answered = _threads(service.pid), sum(answers.values()) - answered
        samples = _record(service.pid, seconds)
    spent = {thread: (name, ticks - before.get(thread, ("", 0))[1]) for thread, (name, ticks) in after.items()}
    inside, outside = _shares(samples, spent)
    for function, share in sorted(outside.items(), key=lambda each: -each[1])[:12]:
        print_facts(outside=function, share=share)
    total = sum(outside.values())
    print_facts(answers=dict(answers), pictures=answered, seconds=seconds, **inside, outside=total, holds=total <= MOST_OUTSIDE)
    return total <= MOST_OUTSIDE and set(answers) == {200}


def _shares(samples: Iterable[_Sample], spent: dict[int, tuple[str, int]]) -> tuple[dict[str, float], dict[str, float]]:
    """Return the shares of both libraries, and those of the functions outside, of the ticks that the threads spent."""
    busy: dict[int, list[_Sample]] = {}
    for sample in samples:
        if not sample.waits:
            busy.setdefault(sample.thread, []).append(sample)
    inside, outside = defaultdict[str, float](float), defaultdict[str, float](float)
    total = sum(ticks for _, ticks in spent.values())
    for thread, (name, ticks) in spent.items():
        if thread not in busy:
            (inside if "vips" in name else outside)["libvips" if "vips" in name else f"thread {name}"] += ticks / total
            continue
        count = sum(sample.count for sample in busy[thread])
        for sample in busy[thread]:
            share = ticks / total * sample.count / count
            if sample.library is None:
                outside[sample.function] += share
            else:
                inside[sample.library] += share
    return inside, outside


@contextmanager
def _load(url: str, bodies: list[bytes]) -> Iterator[Counter[int]]:
    """Send photographs without a pause inside the context, and provide the count of each status."""
    answers, over = Counter[int](), threading.Event()

    def ask(first: int) -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            for body in itertools.islice(itertools.cycle(bodies), first, None):
                if over.is_set():
                    return
                answers[client.post("/v1/upscale?format=jpeg", content=body).status_code] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _threads(pid: int) -> dict[int, tuple[str, int]]:
    """Return the name and the ticks of each thread of a process."""
    found = {}
    for path in Path(f"/proc/{pid}/task").iterdir():
        try:
            head, _, tail = (path / "stat").read_text().rpartition(")")
        except OSError:  # the thread has ended
            continue
        fields = tail.split()
        found[int(path.name)] = (head.partition("(")[2], int(fields[11]) + int(fields[12]))
    return found


def _record(pid: int, seconds: float) -> list[_Sample]:
    program = shutil.which("py-spy")
    if program is None:
        raise RuntimeError("py-spy is not installed; run pip install py-spy")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "stacks")
        options = ["--native", "--threads", "--format", "raw", "--rate", str(_PER_S), "--duration", str(int(seconds))]
        recorded = subprocess.run(
            [program, "record", "--pid", str(pid), "--output", path, *options], capture_output=True, text=True
        )
        if recorded.returncode:
            raise RuntimeError(f"py-spy cannot sample the service; run this as root, or allow ptrace: {recorded.stderr[-500:]}")
        return [_sample(line) for line in Path(path).read_text().splitlines()]


def _sample(line: str) -> _Sample:
    """Return a line of the form `thread (5): name;outermost;…;innermost 3`."""
    stack, _, count = line.rpartition(" ")
    thread, *frames = stack.split(";")
    return _Sample(int(thread[thread.index("(") + 1 : thread.index(")")]), tuple(frames), int(count))
