"""Error responses: `application/problem+json` (RFC 9457), and `{"error"}` under `/v2`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from upconv.runtime.errors import Cancelled, ParameterError, machine_error
from upconv.service.errors import KINDS, UNEXPECTED, KeyRequiredError, ProblemKind, RetryLaterError, problem_kind

MEDIA_TYPE = "application/problem+json"
BUSY_S = 1
"""`Retry-After` in seconds if no better value is known."""

PROTOCOL = "/v2"
"""The prefix of the routes whose errors are `{"error"}`."""

_MAX_VALUE_LENGTH = 60
_PROTOCOL_STATUS = {415: 400, 422: 400}
"""Replacements for statuses that the protocol does not have."""


class Problem(BaseModel):
    """An error response, as RFC 9457 defines it."""

    model_config = ConfigDict(
        json_schema_extra={"x-problems": {kind.slug: f"{kind.status}: {kind.title}" for kind in (*KINDS.values(), UNEXPECTED)}}
    )

    type: str = Field(description="a URI for the kind of problem", examples=["/docs#unknown-model"])
    title: str = Field(description="the kind of problem in words", examples=["The model does not exist"])
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="one sentence: what was expected, what came, what to do")


def describe(kind: ProblemKind, detail: str) -> Problem:
    """Return a problem of this kind."""
    return Problem(type=f"/docs#{kind.slug}", title=kind.title, status=kind.status, detail=detail)


def answer(path: str, kind: ProblemKind, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return the response that reports a problem of a request for `path`."""
    if path == PROTOCOL or path.startswith(f"{PROTOCOL}/"):
        return JSONResponse({"error": detail}, _PROTOCOL_STATUS.get(kind.status, kind.status), headers)
    return JSONResponse(describe(kind, detail).model_dump(), kind.status, headers, MEDIA_TYPE)


def of_status(status: int) -> ProblemKind:
    """Return a kind of problem that is named as HTTP names the status."""
    title = HTTPStatus(status).phrase
    return ProblemKind(status, title.lower().replace(" ", "-"), title)


def headers_of(error: Exception) -> dict[str, str]:
    """Return the headers of an error response: `Retry-After` or `WWW-Authenticate`, if any."""
    if isinstance(error, RetryLaterError):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, KeyRequiredError):
        return {"WWW-Authenticate": "Bearer"}
    return {"Retry-After": str(BUSY_S)} if problem_kind(error).status == HTTPStatus.SERVICE_UNAVAILABLE else {}


def unexpected(path: str, error: Exception) -> JSONResponse:
    """Return the response to an unexpected error. It contains no internal detail, except what the machine lacks."""
    if (trouble := machine_error(error, "this cannot be processed now")) is not None:
        return answer(path, problem_kind(trouble), str(trouble), headers_of(trouble))
    return answer(
        path,
        UNEXPECTED,
        "the service failed to process this request; its log has the cause, under the X-Request-Id of this response",
    )


def stopping(path: str) -> JSONResponse:
    """Return the response to a request that did not finish before the service stopped."""
    return answer(path, KINDS[Cancelled], "the service is stopping; try again in a moment", {"Retry-After": str(BUSY_S)})


def install(app: FastAPI) -> None:
    """Install the exception handlers that return problems for all known errors."""
    for error in KINDS:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)


async def _known(request: Request, error: Exception) -> JSONResponse:
    kind, path = problem_kind(error), request.url.path
    request.state.error = error
    if kind.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer(
            path,
            kind,
            "the model failed to compute this request; the log has the cause, under the X-Request-Id of this response",
        )
    return answer(path, kind, str(error) or kind.title, headers_of(error))


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    request.state.error = ParameterError(_sentence(error.errors()[0]))
    return answer(request.url.path, problem_kind(error), _sentence(error.errors()[0]))


async def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path, method = _short(request.url.path), request.method
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allow(request, headers.get("Allow", ""))
    details = {
        400: "the body cannot be read; expected JSON in UTF-8",
        404: f"there is no route {path}; /docs lists all routes",
        405: f"{path} does not support {_short(method)}; it supports {headers.get('Allow')}",
    }
    return answer(request.url.path, of_status(error.status_code), details.get(error.status_code, str(error.detail)), headers)


def _allow(request: Request, first: str) -> str:
    """Return all methods of the path, from OpenAPI, because starlette returns only those of the `first` route."""
    paths = request.app.openapi()["paths"].items()
    methods = {method.upper() for path, known in paths if compile_path(path)[0].fullmatch(request.url.path) for method in known}
    return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods)) or first


def _sentence(error: Any) -> str:
    """Return one error of pydantic as a sentence: the parameter, the expected value, the given value."""
    name = str(error["loc"][-1])
    if error["type"] == "json_invalid":
        return f"the body is not valid JSON: {error['ctx']['error']} at character {name}"
    if error["type"] == "extra_forbidden":
        return f"there is no parameter {_short(name)!r}; /docs lists all parameters"
    expected = str(error["msg"]).replace("Input should be", "should be", 1).split(", unable to parse")[0]
    return f"the parameter {name!r} {expected[:1].lower()}{expected[1:]}, but it is {_short(str(error['input']))!r}"


def _short(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}…"
