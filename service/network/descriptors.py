"""File descriptors: the number of connections for which they suffice."""

from __future__ import annotations

import contextlib
import resource

from upconv.runtime.errors import ParameterError
from upconv.service.settings import MIN_CONNECTIONS

MOST_CONNECTIONS = 4096
"""Open connections if the limit of open files allows it, and no setting says otherwise."""

_FILES = 256
"""Descriptors for models, jobs, logs, and connections that are accepted before others are closed."""
_UNLIMITED = 2**20


def raise_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    soft, hard = (
        _UNLIMITED if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)
    )
    if soft < hard:
        with contextlib.suppress(OSError, ValueError):  # macOS allows fewer than it states
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            return hard
    return soft


def connections_for(descriptors: int, wanted: int | None) -> int:
    """Return the most open connections: `wanted`, or as many as this number of descriptors allows.

    A connection may need two: one for the socket, and one for the file that is sent. Raises `ParameterError` if there are too few.
    """
    room = (descriptors - _FILES) // 2
    if room < (wanted or MIN_CONNECTIONS):
        raise ParameterError(
            f"the limit of {descriptors} open files suffices for {max(room, 0)} connections, not for {wanted or MIN_CONNECTIONS}; "
            f"raise it (ulimit -n, LimitNOFILE= of systemd, --ulimit of docker) or lower --max-connections"
        )
    return wanted or min(MOST_CONNECTIONS, room)
