from __future__ import annotations

import io
import json
import logging
import os
import pty
import threading
import warnings
from typing import Any

import pytest

from upconv.service.log import LogHandler, everything_logged, new_log


def lines(file: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_what_others_log() -> None:
    file = io.StringIO()
    logger = logging.getLogger("upconv-test")
    handler = LogHandler(new_log(file))
    logger.addHandler(handler)
    logger.warning("beware of %s", "it")
    logger.removeHandler(handler)
    (line,) = lines(file)
    assert (line["event"], line["level"], line["logger"]) == ("beware of it", "warning", "upconv-test")


class Failing:
    def __del__(self) -> None:
        raise RuntimeError("in a destructor")


def fail() -> None:
    raise RuntimeError("in a thread")


def test_warnings_of_libraries_and_uncaught_errors_are_lines_too() -> None:
    file = io.StringIO()
    with everything_logged(new_log(file)), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("asyncio").error("a task was destroyed")
        logging.getLogger("python_multipart.multipart").warning("skipping data")
        logging.getLogger("asyncio").info("not worth a line")
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)
        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()
        Failing()
    logging.getLogger("asyncio").error("after the end")
    told = [json.dumps(line) for line in lines(file)]
    expected = ["a task was destroyed", "skipping data", "deprecated", "in a thread", "in a destructor"]
    assert len(told) == len(expected)
    for line, text in zip(told, expected, strict=True):
        assert text in line


@pytest.mark.parametrize("format", ["json", "text"])
def test_no_control_character_of_a_client_reaches_the_reader(format: Any) -> None:
    file = io.StringIO()
    new_log(file, format=format).info("request", path="/\x1b[2J\n\r\x9b\u2028\u202e\ud800")
    line = file.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert line.encode("utf-8")


@pytest.mark.parametrize(("level", "count"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_the_lowest_that_is_written(level: Any, count: int) -> None:
    file = io.StringIO()
    log = new_log(file, level)
    for write in (log.debug, log.info, log.warning, log.error):
        write("it happened")
    assert len(lines(file)) == count


@pytest.mark.parametrize(("format", "json_lines"), [("auto", False), ("json", True), ("text", False)])
def test_a_terminal_gets_text_unless_json_is_asked_for(format: Any, json_lines: bool) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        new_log(terminal, format=format).info("it happened", path="/v1/models")
        terminal.flush()
        line = os.read(ours, 4096).decode()
    os.close(ours)
    assert line.startswith("{") is json_lines
    assert "it happened" in line
    assert "/v1/models" in line


def test_a_file_gets_json() -> None:
    file = io.StringIO()
    new_log(file).info("it happened")
    assert lines(file)[0]["event"] == "it happened"
