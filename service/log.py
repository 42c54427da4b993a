"""The log: one line of JSON per event."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

from upconv.service.settings import Level


def new_log(file: TextIO | None = None, level: Level = "info") -> Any:
    """Return a structlog logger that writes events of `level` or above.

    It writes to `file`, or to standard error if `file` is `None`.
    """
    return structlog.wrap_logger(
        structlog.WriteLogger(file or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Local variables are left out because they may hold data of users.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )


class LogHandler(logging.Handler):
    """A logging handler that writes the records of other libraries to our log."""

    def __init__(self, log: Any, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
