from __future__ import annotations

import io
import os
import threading
import time
from contextlib import suppress

import pytest

from upconv.service import log_output
from upconv.service.log_output import MOST_LINES, LogOutput, dropped_lines, wait_for_outputs


def test_lines_are_written_in_order_by_another_thread() -> None:
    file = io.StringIO()
    output = LogOutput(file)
    for number in range(1000):
        output.write(f"{number}\n")
    output.flush()
    output.wait(10)
    assert file.getvalue() == "".join(f"{number}\n" for number in range(1000))


def test_the_thread_ends_when_there_is_nothing_to_write_and_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_output, "_IDLE_S", 0.01)
    file = io.StringIO()
    output = LogOutput(file)
    for text in ("a\n", "b\n"):
        output.write(text)
        output.wait(10)
        deadline = time.monotonic() + 10
        while any(thread.name == "upconv-log" for thread in threading.enumerate()) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(thread.name == "upconv-log" for thread in threading.enumerate())
    assert file.getvalue() == "a\nb\n"


def test_a_reader_that_takes_nothing_delays_nobody_and_further_lines_are_dropped() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        output = LogOutput(pipe)
        line = "x" * 1000 + "\n"
        for _ in range(MOST_LINES + 200):  # the pipe itself holds about 64 lines
            output.write(line)
        before = output.dropped
        assert 100 <= before <= 200
        output.write(line)
        assert output.dropped == before + 1
        assert dropped_lines() >= before
        started = time.monotonic()
        wait_for_outputs(0.05)
        assert time.monotonic() - started < 5
        os.close(reading)
        output.wait(10)
        assert output.dropped > before + 1, "the lines that waited for the reader are dropped, too"
        with suppress(OSError):
            pipe.close()


@pytest.mark.parametrize("kind", ["gone", "closed", "full"])
def test_an_output_that_cannot_be_written_raises_nothing(kind: str) -> None:
    if kind == "full":
        file = open("/dev/full", "w")  # noqa: SIM115
    else:
        reading, writing = os.pipe()
        file = os.fdopen(writing, "w")
        os.close(reading)
    if kind == "closed":
        file.close()
    output = LogOutput(file)
    for _ in range(3):
        output.write("a line\n")
    output.wait(10)
    assert output.dropped == 3
    with suppress(OSError):
        file.close()


def test_a_line_without_a_thread_waits_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    output = LogOutput(file)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        output.write("a\n")
    output.write("b\n")
    output.wait(10)
    assert file.getvalue() == "a\nb\n"
