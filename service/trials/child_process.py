"""The child process in which files are tried, as the service sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

from upconv.service.trials.order import READY, TrialOrder

_START_S = 60.0
"""Seconds for the child process to import onnxruntime on a busy machine."""
_STOPPING = "{} was not tried, because the service is stopping"
_COMMAND = (sys.executable, "-P", "-m", "upconv.service.trials.first_run")


class TrialChild:
    """A child process that tries one file after another. It is started when it is needed, and again after it ended.

    One thread calls `try_file`; any thread may call `kill`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._killed = False

    def try_file(self, order: TrialOrder, timeout_s: float) -> str | None:
        """Return the reason why a file cannot be used, or `None`."""
        if not self._start():
            if self._killed:
                return _STOPPING.format(order.path)
            return f"{order.path} was not tried, because the process for trials does not start; load it again later"
        assert self._process is not None and self._process.stdin is not None
        with suppress(OSError):  # a child that ended gives no answer, which is handled next
            self._process.stdin.write(order.line())
            self._process.stdin.flush()
        answer, in_time = self._read_line(timeout_s)
        if answer:
            reason: str | None = json.loads(answer)
            return reason
        return self._why_ended(order, timeout_s, in_time)

    def kill(self) -> None:
        """End the process now, and start no other."""
        self._killed = True
        self._stop()

    def close(self) -> None:
        """End the process and wait for it."""
        self.kill()
        if self._process is not None:
            _end(self._process)

    def _start(self) -> bool:
        if self._killed:
            return False
        if self._process is not None and self._process.poll() is None:
            return True
        # The child imports what this process imports, and nothing from the current folder.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(  # noqa: S603, the command is a constant
            _COMMAND,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        return self._read_line(_START_S)[0].strip() == READY

    def _read_line(self, timeout_s: float) -> tuple[str, bool]:
        """Return the next line, empty if the process ended, and true if that took less than `timeout_s`."""
        assert self._process is not None and self._process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(timeout_s, self._stop, kwargs={"late": late})
        timer.daemon = True
        timer.start()
        if self._killed:
            self._stop()  # `kill` came before there was a process
        try:
            return self._process.stdout.readline(), not late.is_set()
        finally:
            timer.cancel()

    def _stop(self, late: threading.Event | None = None) -> None:
        if late is not None:
            late.set()
        if self._process is not None:
            self._process.kill()

    def _why_ended(self, order: TrialOrder, timeout_s: float, in_time: bool) -> str:
        assert self._process is not None
        status = _end(self._process)
        if self._killed:
            return _STOPPING.format(order.path)
        if not in_time or status == -getattr(signal, "SIGXCPU", 0):
            return f"{order.path} did not open and run within {timeout_s:g} s; raise --model-timeout-s if it should be served"
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return f"{order.path} ended the process that tried it ({how}), probably for want of memory; export it again"


def _end(process: subprocess.Popen[str]) -> int:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    return process.wait()
