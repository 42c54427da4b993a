"""Worker processes for folders of small pictures.

The work on a small picture is mostly Python, which uses one core per process. So small pictures are spread over one process
per core, each with one thread of the model. Larger ones stay in this process, whose engine computes their tiles in parallel.
The results are the same.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self, cast

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.cores import available_cores
from upconv.runtime.folders import places
from upconv.runtime.folders.file_task import FileResult, process_file
from upconv.runtime.folders.tasks import FileTask
from upconv.runtime.folders.worker_order import READY, WorkerOrder
from upconv.runtime.processing import UpscalerSource

SMALL_BYTES = 1 << 16
"""Largest file of a small picture, in bytes."""
START_AFTER = 200
"""Small pictures after which the processes start. Fewer take less time than the start."""
_GRACE_S = 2.0
"""Seconds that a picture has to end after a cancellation, before its process is killed."""
_BROKEN = (OSError, EOFError, ValueError, pickle.UnpicklingError)
"""Errors of a pipe whose other end is gone, or that another thread has closed after such an error."""


class WorkerProcesses:
    """Processes files: many small pictures in processes of their own, and others with `upscaler` in this process.

    Any number of threads may call it. It may serve as the `work` of `process_folder`. Use it in a `with` block.
    """

    def __init__(
        self,
        upscaler: UpscalerSource,
        order: WorkerOrder,
        *,
        processes: int | None = None,
        start_after: int = START_AFTER,
        inside: int | None = None,
    ) -> None:
        """Prepare `processes`, by default one per core. They start after `start_after` small pictures, if at all.

        `inside` is the number of pictures that this process works on at the same time, by default one per core.
        """
        self._upscaler, self._order = upscaler, order
        self._count = available_cores() if processes is None else processes
        self.at_once = max(2, 2 * self._count, inside or 0)
        """The number of threads that keep all processes busy: each has a next picture while it computes one."""
        self._inside = threading.BoundedSemaphore(inside or max(2, available_cores()))
        self._start_after = start_after if self._count > 1 and order.provider == "cpu" else sys.maxsize
        self._small = 0
        self._workers: list[_Worker] = []
        self._starting: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self, task: FileTask, cancellation: Cancellation) -> FileResult:
        """Return the result of one file. Raises `Cancelled` soon after the cancellation."""
        worker = self._worker() if self._is_small(task) else None
        if worker is not None:
            try:
                return worker.process(task, cancellation)
            except _BROKEN:  # the system killed it, perhaps for lack of memory
                self._dismiss(worker)
                cancellation.check()
            finally:
                with self._lock:
                    worker.users -= 1
        with self._inside:
            return process_file(task, self._upscaler, self._order.options, cancellation, keep_time=self._order.keep_time)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._closed = True
        for thread in self._starting:
            thread.join()
        for worker in self._workers:
            worker.close()

    def _is_small(self, task: FileTask) -> bool:
        try:
            small = places.size(task.source) <= SMALL_BYTES
        except OSError:
            return False
        with self._lock:
            self._small += small
            if self._small > self._start_after and not self._starting and not self._closed:
                self._starting = [threading.Thread(target=self._start, name="upconv-start") for _ in range(self._count)]
                for thread in self._starting:
                    thread.start()
        return small

    def _worker(self) -> _Worker | None:
        """Return the process with the fewest pictures, if one is free."""
        with self._lock:
            free = min((worker for worker in self._workers if worker.users < 2), key=lambda worker: worker.users, default=None)
            if free is not None:
                free.users += 1
        return free

    def _start(self) -> None:
        """Start a process, and use it once it has opened the model. Without it, this process does the work."""
        try:
            worker = _Worker(self._order)
        except _BROKEN:
            return
        with self._lock:
            self._workers.append(worker)

    def _dismiss(self, worker: _Worker) -> None:
        with self._lock:
            if worker in self._workers:
                self._workers.remove(worker)
        worker.kill()


class _Worker:
    """One process. At most two threads use it at the same time."""

    def __init__(self, order: WorkerOrder) -> None:
        """Start the process and wait until it is ready. Raises one of `_BROKEN` if it cannot start."""
        self.users = 0
        self._sending, self._receiving = threading.Lock(), threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "upconv.runtime.folders.worker_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "VIPS_CONCURRENCY": "1"},
            start_new_session=True,  # a terminal's Ctrl-C cancels by this process
        )
        try:
            self._send(order)
            if self._receive() != READY:
                raise EOFError
        except BaseException:
            self.kill()
            raise

    def process(self, task: FileTask, cancellation: Cancellation) -> FileResult:
        """Return the result of a task. Raises one of `_BROKEN` if the process has ended."""
        with cancellation.calling(self._kill_later):
            # The next thread sends its task while this one waits, and its turn to receive comes after this one's.
            with self._sending:
                self._send(task)
                self._receiving.acquire()
            try:
                return cast(FileResult, self._receive())
            finally:
                self._receiving.release()

    def close(self) -> None:
        """End the process after its last picture."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.close()

    def _kill_later(self) -> None:
        timer = threading.Timer(_GRACE_S, self._process.kill)
        timer.daemon = True
        timer.start()

    def _send(self, value: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(value))
        self._process.stdin.flush()

    def _receive(self) -> object:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)  # noqa: S301  # from upconv itself
