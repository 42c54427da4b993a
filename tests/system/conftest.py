"""The fixtures of the service's tests, for tests of the whole."""

from tests.service.conftest import (
    _jobs_in_temporary_folders,
    _wait_until,
    adder,
    app,
    ask,
    certificate,
    client,
    client_with,
    decoder,
    encoded,
    endless,
    gate,
    growing,
    platform,
    running,
    service,
)

__all__ = [
    "_jobs_in_temporary_folders",
    "_wait_until",
    "adder",
    "app",
    "ask",
    "certificate",
    "client",
    "client_with",
    "decoder",
    "encoded",
    "endless",
    "gate",
    "growing",
    "platform",
    "running",
    "service",
]
