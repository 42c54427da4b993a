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
from tests.system.page_browser import browser
from tests.system.page_modules import evaluate, in_chromium

__all__ = [
    "_jobs_in_temporary_folders",
    "_wait_until",
    "adder",
    "app",
    "ask",
    "browser",
    "certificate",
    "client",
    "client_with",
    "decoder",
    "encoded",
    "endless",
    "evaluate",
    "gate",
    "growing",
    "in_chromium",
    "platform",
    "running",
    "service",
]
