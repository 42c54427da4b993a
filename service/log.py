"""The log: one line per event, as JSON for machines or as text on a terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from upconv.service.log_output import LogOutput
from upconv.service.settings import Level, LogFormat


def new_log(file: TextIO | None = None, level: Level = "info", format: LogFormat = "auto") -> Any:
    """Return a structlog logger that writes events of `level` or above.

    It writes to `file`, or by a thread to standard error if `file` is `None`. `auto` is text if the file is a terminal, and JSON
    otherwise.
    """
    target = file or sys.stderr
    text = format == "text" or (format == "auto" and target.isatty())
    output: Any = file or LogOutput(sys.stderr)
    return structlog.wrap_logger(
        structlog.WriteLogger(output),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if text else "iso", utc=not text),
            *(_text(target.isatty()) if text else _json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


def _json() -> list[Any]:
    # Local variables are left out because they may hold data of users. JSON in ASCII escapes every control character.
    return [
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(ensure_ascii=True),
    ]


def _text(colors: bool) -> list[Any]:
    return [_escaped, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]


def _escaped(_: Any, __: str, event: Any) -> Any:
    """Escape the control characters of all texts, because they may come from a client and could change the terminal."""
    return {
        key: value.encode("unicode_escape").decode() if isinstance(value, str) and not value.isprintable() else value
        for key, value in event.items()
    }


class LogHandler(logging.Handler):
    """A logging handler that writes the records of other libraries to our log."""

    def __init__(self, log: Any, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)


@contextmanager
def everything_logged(log: Any) -> Iterator[None]:
    """Write also the warnings of all libraries and the uncaught errors of threads and callbacks to `log`."""
    handler, root = LogHandler(log), logging.getLogger()
    hooks = threading.excepthook, sys.unraisablehook
    root.addHandler(handler)
    logging.captureWarnings(True)
    threading.excepthook = lambda args: log.error("a thread failed", exc_info=args.exc_value)
    sys.unraisablehook = lambda args: log.error(args.err_msg or "an error was ignored", exc_info=args.exc_value)
    try:
        yield
    finally:
        threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(False)
        root.removeHandler(handler)
