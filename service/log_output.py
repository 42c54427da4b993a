"""The output of the log. A reader that is slow, stuck or gone neither delays nor breaks what the service does."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from contextlib import suppress
from typing import TextIO

MOST_LINES = 10_000
"""Lines that may wait for the reader; further ones are dropped."""

_IDLE_S = 1.0
_LAST_S = 1.0


class LogOutput:
    """A text file that a thread writes to. It has the methods that structlog calls."""

    def __init__(self, file: TextIO) -> None:
        self.dropped = 0
        """Lines that were dropped, because the reader was too slow or gone."""
        self._file = file
        self._lines: deque[str] = deque()
        self._changed = threading.Condition()
        self._writing = False
        _outputs.add(self)

    def write(self, text: str) -> None:
        """Write `text` soon; it is dropped if `MOST_LINES` wait already."""
        with self._changed:
            if len(self._lines) >= MOST_LINES:
                self.dropped += 1
                return
            self._lines.append(text)
            self._changed.notify_all()
            if not self._writing:
                with suppress(RuntimeError):  # there is no room for a thread now; the next line tries again
                    threading.Thread(target=self._write, name="upconv-log", daemon=True).start()
                    self._writing = True

    def flush(self) -> None:
        """Do nothing: the thread flushes the file after each line."""

    def wait(self, seconds: float) -> None:
        """Wait until all lines are written, at most for `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines, seconds)

    def _write(self) -> None:
        while self._available():
            text = self._lines[0]
            try:
                self._file.write(text)
                self._file.flush()
            except (OSError, ValueError):  # the reader is gone, the disk is full, or the file is closed
                self.dropped += 1
            with self._changed:
                self._lines.popleft()
                self._changed.notify_all()

    def _available(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._lines, _IDLE_S)
            self._writing = bool(self._lines)
            return self._writing


_outputs: weakref.WeakSet[LogOutput] = weakref.WeakSet()


def dropped_lines() -> int:
    """Return the number of lines that all outputs have dropped."""
    return sum(output.dropped for output in _outputs)


@atexit.register
def wait_for_outputs(seconds: float = _LAST_S) -> None:
    """Wait until the lines of all outputs are written, at most for `seconds` each."""
    for output in list(_outputs):
        output.wait(seconds)
