from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import httpx
import pytest
import pyvips
from fastapi import FastAPI

from upconv.runtime import errors as runtime
from upconv.service import errors
from upconv.service.errors import problem_kind

Ask = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (runtime.ImageError("x"), 422, None),
        (runtime.ImageTooLargeError("x"), 413, None),
        (errors.BodyTooLargeError("x"), 413, None),
        (errors.NotAnImageError("x"), 415, None),
        (errors.MediaTypeError("x"), 415, None),
        (runtime.ParameterError("x"), 422, None),
        (errors.UnknownModelError("x"), 404, None),
        (errors.SlowBodyError("x"), 408, None),
        (errors.ClientGoneError("x"), 499, None),
        (runtime.Cancelled("x"), 503, "1"),
        (CancelledError(), 503, "1"),
        (runtime.Overloaded("x"), 503, "1"),
        (errors.AdmissionFullError("x", 7), 503, "7"),
        (runtime.MachineError("x"), 503, "1"),
        (runtime.OutOfMemoryError("x"), 503, "1"),
        (runtime.DiskFullError("x"), 503, "1"),
        (runtime.OutputError("x"), 503, "1"),
        (MemoryError(), 503, "1"),
        (pyvips.Error("unable to call", "vips_tracked: out of memory -- size == 45MB"), 503, "1"),
        (pyvips.Error("unable to call", "a defect"), 500, None),
        (RuntimeError("can't start new thread"), 503, "1"),
        (OSError(24, "Too many open files"), 503, "1"),
        (OSError(28, "No space left on device"), 503, "1"),
        (OSError(2, "No such file or directory"), 500, None),
        (runtime.ModelError("x"), 500, None),
        (runtime.ContractError("x"), 500, None),
        (ZeroDivisionError(), 500, None),
    ],
)
def test_table(app: FastAPI, ask: Ask, error: Exception, status: int, retry_after: str | None) -> None:
    @app.get("/fails", include_in_schema=False)
    async def fail() -> None:
        raise error

    answer = ask(app, "GET", "/fails")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["type"] == f"/docs#{problem_kind(error).slug}"
    assert answer.json()["status"] == status
    assert answer.headers.get("retry-after") == retry_after


def test_nothing_leaks(app: FastAPI, ask: Ask) -> None:
    @app.get("/fails", include_in_schema=False)
    async def fail() -> None:
        raise RuntimeError("a secret")

    answer = ask(app, "GET", "/fails")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v1/nothing", 404, "there is no route /v1/nothing"),
        ("GET", "/nothing", 404, "there is no route /nothing"),
        ("GET", "/web/nothing.js", 404, "there is no route /web/nothing.js"),
        ("GET", "/web/../app.py", 404, "there is no route"),
        ("GET", "/web/%2e%2e/app.py", 404, "there is no route"),
        ("GET", "/" + "a" * 500, 404, "…"),
        ("GET", "/v1/upscale", 405, "does not support GET; it supports POST"),
        ("DELETE", "/v1/models", 405, "it supports GET"),
        ("PUT", "/v1/jobs/x", 405, "it supports DELETE, GET"),
    ],
)
def test_routes_that_are_not_there(client: httpx.Client, method: str, path: str, status: int, words: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
    assert ("allow" in answer.headers) == (status == 405)


def test_a_body_that_is_no_json(client_with: Any) -> None:
    key = {"X-API-Key": "admin-0123456789abcdef", "Content-Type": "application/json"}
    with client_with(admin_key=key["X-API-Key"]) as client:
        for body, status in ((b"<\x80", 400), (b"{", 422), (b"[]", 422), (b"", 422)):
            answer = client.put("/v1/models/default", content=body, headers=key)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            expected = {b"<\x80": "expected JSON in UTF-8", b"{": "the body is not valid JSON: Expecting property name"}
            assert expected.get(body, "") in answer.json()["detail"]
