"""Runs onnxsim in a process of its own, which stays for the next graph."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from upconv.export import onnxsim_worker


class OnnxsimProcess:
    """A process that has imported onnxsim. It starts when it is needed, and ends with this one. Threads take turns."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def run(self, before: Path, after: Path, timeout_s: float) -> str | None:
        """Write the simplified model of the file `before` to the file `after`. Return the reason if onnxsim fails.

        Its messages are written to a file beside `after`.
        """
        messages = after.with_suffix(".log")
        messages.touch()
        with self._turn:
            process = self._started(messages)
            late = threading.Event()

            def end() -> None:
                late.set()
                _kill(process)

            watch = threading.Timer(timeout_s, end)
            watch.start()
            try:
                code = _answer(process, json.dumps([str(before), str(after), str(messages)]))
            except BaseException:
                self._end()
                raise
            finally:
                watch.cancel()
        if late.is_set():
            return f"onnxsim took longer than {timeout_s} s"
        if code == 0 and after.exists():
            return None
        lines = [line for line in messages.read_text(errors="replace").splitlines() if line.strip()]
        return f"onnxsim ended with code {code}: {lines[-1] if lines else 'no message'}"

    def close(self) -> None:
        """End the process."""
        if self._owner == os.getpid():
            self._end()

    def _started(self, messages: Path) -> subprocess.Popen[str]:
        process = self._process
        if process is None or self._owner != os.getpid() or process.poll() is not None:
            self.close()
            command = [sys.executable, "-P", onnxsim_worker.__file__]
            with messages.open("wb") as errors:
                process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    start_new_session=True,  # an interrupt from the keyboard is for this process only
                )
            self._process, self._owner = process, os.getpid()
        return process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            _kill(process)
            with suppress(OSError), process:  # it may have ended before it read what was written to it
                pass


def _answer(process: subprocess.Popen[str], line: str) -> int:
    """Return the exit code of the run of one graph, or of the process if it ends."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(OSError):  # the process has ended
        print(line, file=process.stdin, flush=True)
        if answer := process.stdout.readline():
            return int(answer)
    return process.wait()


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process and its child."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        os.killpg(process.pid, 9)
    else:
        process.kill()


ONNXSIM = OnnxsimProcess()
"""The process of all graphs."""
atexit.register(ONNXSIM.close)
