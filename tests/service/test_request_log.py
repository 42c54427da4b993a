from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from upconv.service.log import new_log
from upconv.service.metrics import Metrics
from upconv.service.request_log import RequestLog


@pytest.fixture
def lines(ask: Callable[..., httpx.Response]) -> Callable[..., list[dict[str, Any]]]:
    """The lines that some requests to a small app leave."""

    def serve(*paths: str) -> list[dict[str, Any]]:
        app = FastAPI()

        @app.get("/fine")
        async def fine() -> None: ...

        @app.get("/fails")
        async def fails() -> None:
            raise RuntimeError("deep inside")

        file = io.StringIO()
        log = RequestLog(app, new_log(file), Metrics())
        for path in paths:
            ask(log, "GET", path)
        return [json.loads(line) for line in file.getvalue().splitlines()]

    return serve


def test_a_line_a_request(lines: Callable[..., list[dict[str, Any]]]) -> None:
    fine, missing = lines("/fine?secret=1", "/missing")
    assert {key: fine[key] for key in ("method", "path", "status", "level")} == {
        "method": "GET",
        "path": "/fine",
        "status": 200,
        "level": "info",
    }
    assert len(fine["request_id"]) == 32
    assert fine["ms"] >= 0
    assert missing["status"] == 404


def test_unexpected_errors_are_logged_whole(lines: Callable[..., list[dict[str, Any]]]) -> None:
    (line,) = lines("/fails")
    assert (line["level"], line["status"]) == ("error", 500)
    assert "deep inside" in json.dumps(line["exception"])


@pytest.mark.parametrize(
    ("given", "kept"), [("a-b.c_1", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ('"', False), ("", False)]
)
def test_request_id(client: httpx.Client, given: str, kept: bool) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["x-request-id"] == given) == kept


@pytest.mark.parametrize("path", ["/", "/docs", "/web/page.js", "/v1/models", "/healthz", "/missing"])
def test_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_local_variables_stay_private(lines: Callable[..., list[dict[str, Any]]]) -> None:
    (line,) = lines("/fails")
    assert "locals" not in json.dumps(line)


def test_request_that_cannot_be_finished_is_answered(ask: Callable[..., httpx.Response]) -> None:
    app = FastAPI()

    @app.get("/cancelled")
    async def cancelled() -> None:
        raise asyncio.CancelledError

    answer = ask(RequestLog(app, new_log(io.StringIO()), Metrics()), "GET", "/cancelled")
    assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#stopping", "1")
