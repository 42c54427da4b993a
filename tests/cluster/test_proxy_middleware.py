from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from upconv.cluster.proxy_middleware import ProxyAnswers, proxy_middleware
from upconv.cluster.upload_memory import ReturnedMemory, UploadTurns


async def answer(send: Any, status: int, kind: bytes, *more: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *more]})
    await send({"type": "http.response.body", "body": b"text"})


async def good(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"image/png")


async def ended(scope: Any, receive: Any, send: Any) -> None:
    """What Ray's proxy does if the replica ends."""


async def full(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 429, b"text/plain; charset=utf-8", (b"retry-after", b"7"))


async def unavailable(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 503, b"text/plain")


async def twice(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 200, b"image/png", (b"x-request-id", b"a"), (b"X-Request-ID", b"a"), (b"vary", b"b"), (b"vary", b"c"))


async def problem(scope: Any, receive: Any, send: Any) -> None:
    await answer(send, 503, b"application/problem+json", (b"retry-after", b"5"))


def asked(app: Any, body: bytes = b"", turns: UploadTurns | None = None) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(ProxyAnswers(app, turns or UploadTurns(1000, 0.01)))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/v1/upscale", content=body)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("app", "status", "slug", "retry_after"),
    [
        (ended, 503, "stopping", "2"),
        (full, 429, "too-many-requests", "7"),
        (unavailable, 503, "full", "2"),
    ],
)
def test_refusals_of_ray_become_problems(app: Any, status: int, slug: str, retry_after: str) -> None:
    answered = asked(app)
    assert (answered.status_code, answered.headers["retry-after"]) == (status, retry_after)
    assert answered.headers["content-type"] == "application/problem+json"
    stated = answered.json()
    assert (stated["type"], stated["status"]) == (f"/docs#{slug}", status)
    assert f"try again in {retry_after} s" in stated["detail"]


def test_answers_of_the_service_are_passed_on() -> None:
    assert asked(good).text == "text"
    assert (asked(problem).text, asked(problem).headers["retry-after"]) == ("text", "5")


def test_a_request_has_one_id() -> None:
    headers = asked(twice).headers
    assert (headers.get_list("x-request-id"), headers.get_list("vary")) == (["a"], ["b", "c"])


def test_an_upload_that_gets_no_turn_is_refused() -> None:
    turns = UploadTurns(2 << 20, 0.01)
    assert asked(good, bytes(2 << 20), turns).status_code == 200
    turns.taken = 1
    refused = asked(good, bytes(2 << 20), turns)
    assert (refused.status_code, refused.json()["type"]) == (503, "/docs#full")
    assert asked(good, b"small", turns).status_code == 200


def test_other_protocols_are_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(ProxyAnswers(app, UploadTurns(1, 1))({"type": "websocket"}, None, None))  # type: ignore[arg-type]
    assert seen == ["websocket"]


def test_the_bytes_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPCONV_MAX_WAITING_BYTES", "77")
    answers, memory = proxy_middleware()
    assert (answers.cls, answers.kwargs["turns"].bytes, memory.cls) == (ProxyAnswers, 77, ReturnedMemory)
    monkeypatch.delenv("UPCONV_MAX_WAITING_BYTES")
    assert proxy_middleware()[0].kwargs["turns"].bytes == 256 * 2**20
