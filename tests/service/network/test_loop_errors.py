from __future__ import annotations

import asyncio
import errno
import io
import json
from typing import Any

from upconv.service.log import new_log
from upconv.service.network.loop_errors import PERIOD_S, LoopErrors


class Handled:
    """A handler, its clock, its log and its relief."""

    def __init__(self) -> None:
        self.now = 100.0
        self.text = io.StringIO()
        self.relieved: list[int] = []
        self.handler = LoopErrors(new_log(self.text), self.relieved.append, lambda: self.now)

    def report(self, error: Exception | None, times: int = 1) -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(self.handler)
        for _ in range(times):
            loop.call_exception_handler({"message": "socket.accept() out of system resource", "exception": error})
        loop.close()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.getvalue().splitlines()]


def test_no_flood_if_descriptors_run_out() -> None:
    handled, error = Handled(), OSError(errno.EMFILE, "Too many open files")
    for _ in range(int(PERIOD_S)):
        handled.report(error, 128)
        handled.now += 1
    (line,) = handled.lines
    assert (line["level"], line["error"]) == ("error", "Too many open files")
    assert "raise the limit of open files" in line["event"]
    assert len(handled.relieved) == 60, "waiting connections make room once in each round"
    handled.report(error)
    assert handled.lines[1]["suppressed"] == 128 * 60 - 1


def test_other_errors_are_logged_once_a_minute_with_their_traceback() -> None:
    handled = Handled()
    for seconds in (0, PERIOD_S - 0.1, 0.2):  # a minute has passed at the third report only
        handled.now += seconds
        handled.report(ValueError("Invalid file descriptor: -1"), 100)
    handled.report(ValueError("another"))
    handled.report(None)
    assert [line["suppressed"] for line in handled.lines] == [0, 199, 0, 0]
    assert handled.lines[0]["exception"][0]["exc_value"] == "Invalid file descriptor: -1"
    assert handled.relieved == []
