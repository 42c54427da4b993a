from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service.client import Client, RetryPolicy, ServiceError, UpscaleOptions, clients
from upconv.service.client.flows import PictureUpload


def answering(*answers: Any) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    """A service that gives these answers one after the other."""
    left, seen = list(answers), list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        given = left.pop(0)
        if isinstance(given, Exception):
            raise given
        assert isinstance(given, httpx.Response)
        return given

    return httpx.MockTransport(answer), seen


FULL = {"type": "/docs#full", "title": "", "status": 503, "detail": "try again in 3 s"}
DONE = httpx.Response(200, json={"models": []})


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([httpx.Response(503, json=FULL, headers={"Retry-After": "3"}), DONE], [3]),
        ([httpx.Response(429, headers={"Retry-After": "7"}), httpx.ConnectError("no"), DONE], [7, 1.0]),
        ([httpx.Response(503), httpx.Response(503, headers={"Retry-After": "soon"}), DONE], [0.5, 1.0]),
    ],
)
def test_tries_again_when_the_service_says(monkeypatch: pytest.MonkeyPatch, answers: list[Any], waits: list[float]) -> None:
    waited: list[float] = []
    monkeypatch.setattr(clients, "time", SimpleNamespace(sleep=waited.append))
    transport, seen = answering(*answers)
    with Client("http://x", "secret", transport=transport) as asks:
        assert asks.models() == []
    assert waited == waits
    assert all(request.headers["authorization"] == "Bearer secret" for request in seen)


@pytest.mark.parametrize(
    ("answers", "words", "status"),
    [
        ([httpx.Response(503, json=FULL, headers={"Retry-After": "61"})], "try again in 3 s", 503),
        ([httpx.Response(422, json={**FULL, "detail": "no"})], "no", 422),
        ([httpx.Response(502, text="<html>")], "answered with status 502", 502),
        ([httpx.Response(503, json=FULL)] * 3, "try again in 3 s", 503),
        ([httpx.ConnectError("refused")] * 3, "cannot be reached: refused", 0),
    ],
)
def test_gives_up(answers: list[Any], words: str, status: int) -> None:
    transport, _ = answering(*answers)
    with Client("http://x", retries=RetryPolicy(attempts=2, first_wait_s=0), transport=transport) as asks:
        with pytest.raises(ServiceError, match=words) as raised:
            asks.models()
        assert raised.value.status == status


@pytest.mark.parametrize(
    ("options", "model", "query"),
    [
        (UpscaleOptions(), None, {}),
        (UpscaleOptions(scale=2.5, quality=90), "m", {"scale": "2.5", "model": "m"}),
        (
            UpscaleOptions(width=7, height=8, format="webp", quality=3, lossless=True, metadata="strip", profile="srgb"),
            None,
            {
                "width": "7",
                "height": "8",
                "format": "webp",
                "quality": "3",
                "lossless": "true",
                "metadata": "strip",
                "profile": "srgb",
            },
        ),
    ],
)
def test_what_differs_from_the_defaults_is_sent(options: UpscaleOptions, model: str | None, query: dict[str, str]) -> None:
    assert PictureUpload(b"", options, model).query == query


@pytest.mark.parametrize("options", [{"frames": True}, {"max_pixels": 9}, {"max_output_pixels": 9}])
def test_options_that_the_service_does_not_take(options: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=f"the service does not accept {next(iter(options))}"):
        _ = PictureUpload(b"", UpscaleOptions(**options)).query


def later(seconds: int) -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": str(seconds)})


@pytest.mark.parametrize(
    ("answer", "attempt", "wait_s"),
    [
        (httpx.ConnectError("no"), 0, 0.5),
        (httpx.ConnectError("no"), 1, 1.0),
        (httpx.ConnectError("no"), 4, 8.0),
        (httpx.ConnectError("no"), 5, None),
        (later(60), 0, 60),
        (later(61), 0, None),
        (httpx.Response(429), 0, 0.5),
        (httpx.Response(500), 0, None),
    ],
)
def test_five_attempts_of_a_minute_are_made(answer: Any, attempt: int, wait_s: float | None) -> None:
    assert RetryPolicy().wait_s(answer, attempt) == wait_s


def test_a_list_has_the_jobs_of_all_pages() -> None:
    def page(id: str, next: str | None) -> httpx.Response:
        job = {"id": id, "state": "done", "model": "m", "progress": {"done": 1, "total": 1}, "ahead": 0, "error": None}
        return httpx.Response(200, json={"jobs": [job], "next": next})

    transport, seen = answering(page("a", "1.5-a"), page("b", None))
    with Client("http://x", transport=transport) as asks:
        assert [job.id for job in asks.jobs("done")] == ["a", "b"]
    assert [str(request.url.query, "ascii") for request in seen] == ["state=done", "state=done&after=1.5-a"]
