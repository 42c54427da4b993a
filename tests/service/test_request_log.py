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
from upconv.service.log_output import wait_for_outputs
from upconv.service.metrics import Metrics
from upconv.service.request_log import LONGEST, RequestLog


@pytest.fixture
def lines(ask: Callable[..., httpx.Response]) -> Callable[..., list[dict[str, Any]]]:
    """The lines that some requests to a small app leave."""

    def serve(*paths: str) -> list[dict[str, Any]]:
        app = FastAPI()

        @app.get("/fine")
        async def fine() -> None: ...

        @app.get("/healthz")
        async def healthy() -> None: ...

        @app.get("/fails")
        async def fails() -> None:
            raise RuntimeError("deep inside")

        file = io.StringIO()
        log = RequestLog(app, new_log(file, "debug"), Metrics())
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


def test_a_line_says_who_asked_for_what_and_how_much_was_sent(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    picture = encoded()
    with client_with() as client:
        answer = client.post("/v1/upscale?format=png", content=picture)
    wait_for_outputs()
    line = next(json.loads(text) for text in capsys.readouterr().err.splitlines() if '"/v1/upscale"' in text)
    assert answer.status_code == 200
    assert (line["query"], line["model"]) == ("format=png", answer.headers["x-upconv-model"])
    assert (line["bytes_in"], line["bytes_out"]) == (len(picture), len(answer.content))
    assert line["client"]


def test_probes_are_logged_at_debug(lines: Callable[..., list[dict[str, Any]]]) -> None:
    assert [line["level"] for line in lines("/healthz", "/fine")] == ["debug", "info"]


@pytest.mark.parametrize(("length", "cut"), [(LONGEST, False), (LONGEST + 1, True)])
def test_a_long_path_and_a_long_query_are_cut(lines: Callable[..., list[dict[str, Any]]], length: int, cut: bool) -> None:
    (line,) = lines(f"/{'a' * (length - 1)}?{'b' * length}")
    for field in (line["path"], line["query"]):
        assert len(field) == (LONGEST + 1 if cut else length)
        assert field.endswith("…") is cut


@pytest.mark.parametrize(
    ("query", "logged"),
    [
        ("format=png&result_url=https%3A%2F%2Fa%2Fb%3FX-Amz-Signature%3D1&scale=2", "format=png&result_url=…&scale=2"),
        ("webhook=https://a/token", "webhook=…"),
        ("result%5Furl=https://a/?secret", "result%5Furl=…"),
        ("webhook", "webhook=…"),
        ("other=https://a/b?c=d&&x", "other=https://a/b?c=d&&x"),
    ],
)
def test_urls_that_let_their_holder_act_are_not_logged(
    lines: Callable[..., list[dict[str, Any]]], query: str, logged: str
) -> None:
    assert lines(f"/fine?{query}")[0]["query"] == logged


def test_a_key_in_a_wrong_place_is_not_logged(client_with: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    key = "ann+0123456789abcdef"
    with client_with(api_keys=f"ann:{key},bob:bob-0123456789abcdef", log_format="json") as client:
        for path in (f"/v1/models/{key}", f"/v1/models?api_key={key}", "/v1/models?k=ann%2B0123456789abcdef", f"/{key}/x"):
            assert client.get(path, headers={"X-API-Key": "bob-0123456789abcdef"}).status_code in (200, 404)
    wait_for_outputs()
    log = "".join(capsys.readouterr())
    assert log.count("/v1/models") >= 3
    assert "0123456789abcdef" not in log


def test_problems_are_counted_by_kind_and_times_by_route_and_model(
    service: httpx.Client, encoded: Callable[..., bytes]
) -> None:
    service.post("/v1/upscale", content=encoded())
    service.post("/v1/upscale", content=b"no picture")
    service.post("/v1/upscale?scale=nan", content=encoded())
    told = service.get("/metrics").text
    model = service.get("/v1/models").json()["models"][0]["name"]
    assert f'upconv_request_seconds_count{{model="{model}",route="/v1/upscale"}} 1.0' in told
    assert 'upconv_problems_total{kind="not-an-image",status="415"} 1.0' in told
    assert 'upconv_problems_total{kind="bad-parameter",status="422"} 1.0' in told
