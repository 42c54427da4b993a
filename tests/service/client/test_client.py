from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest

from upconv.runtime import codecs
from upconv.service.client import AsyncClient, Client, Job, Patience, ServiceError, Wish

QUICK = Patience(first_wait_s=0.01)


@pytest.fixture
def asks(client: Any) -> Any:
    with Client(str(client.base_url), patience=QUICK) as asks:
        yield asks


def test_upscale(asks: Client, encoded: Callable[..., bytes]) -> None:
    result = asks.upscale(encoded("gif"), Wish(scale=3, metadata="strip", lossless=False))
    picture = codecs.decode(result.data)
    assert (picture.width, picture.height, result.media_type, result.tiles) == (60, 36, "image/png", 2)
    assert (result.model, result.provider) == ("nearest-x2-test", "CPUExecutionProvider")
    assert result.conversions == ("gif became png, as gif is not written",)


def test_jobs(asks: Client, encoded: Callable[..., bytes]) -> None:
    job = asks.submit(encoded(), Wish(width=50), idempotency_key="client-test")
    assert asks.submit(encoded(), Wish(width=50), idempotency_key="client-test").id == job.id
    seen: list[Job] = []
    result = asks.wait(job.id, seen.append)
    assert codecs.decode(result.data).width == 50
    assert (seen[-1].state, asks.job(job.id).over) == ("done", True)
    asks.delete(job.id)
    asks.delete(job.id)
    with pytest.raises(ServiceError, match="no job") as raised:
        asks.job(job.id)
    assert (raised.value.status, raised.value.kind) == (404, "unknown-job")


def test_failed_job(asks: Client, encoded: Callable[..., bytes]) -> None:
    job = asks.submit(encoded("png", 64, 64)[:-100])
    with pytest.raises(ServiceError, match="damaged or incomplete"):
        asks.wait(job.id)


def test_models(asks: Client) -> None:
    (model,) = asks.models()
    assert (model.name, model.default, model.contract["height"]["scale"]) == ("nearest-x2-test", True, 2)


def test_asyncio(client: Any, encoded: Callable[..., bytes]) -> None:
    async def run() -> tuple[bytes, bytes, int]:
        async with AsyncClient(str(client.base_url)) as asks:
            job = await asks.submit(encoded())
            later = await asks.wait(job.id)
            await asks.delete(job.id)
            now = await asks.upscale(encoded())
            assert (await asks.models())[0].upscales
            with pytest.raises(ServiceError):
                await asks.job(job.id)
            return now.data, later.data, now.tiles

    now, later, tiles = anyio.run(run)
    assert (now == later, tiles) == (True, 1)


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
    monkeypatch.setattr("time.sleep", waited.append)
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
    with Client("http://x", patience=Patience(attempts=2, first_wait_s=0), transport=transport) as asks:
        with pytest.raises(ServiceError, match=words) as raised:
            asks.models()
        assert raised.value.status == status


def test_needs_no_server() -> None:
    program = "import sys, upconv.service.client; print({'fastapi', 'onnxruntime', 'pyvips', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
