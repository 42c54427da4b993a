from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from upconv.cluster import upload_memory
from upconv.cluster.upload_memory import SMALL_BYTES, ReturnedMemory, UploadTurns, upload_bytes


def test_uploads_beyond_the_bytes_wait_in_order() -> None:
    async def run() -> list[str]:
        turns, seen = UploadTurns(100, 5.0), list[str]()

        async def upload(name: str, bytes: int) -> None:
            async with turns.turn(bytes):
                seen.append(name)

        async with AsyncExitStack() as stack:
            await stack.enter_async_context(turns.turn(60))
            tasks = [asyncio.create_task(upload(name, bytes)) for name, bytes in (("large", 1000), ("small", 1))]
            await asyncio.sleep(0)
            assert (seen, turns.taken) == ([], 60)
        await asyncio.gather(*tasks)
        assert turns.taken == 0
        return seen

    assert asyncio.run(run()) == ["large", "small"]


def test_an_upload_waits_for_a_time_only() -> None:
    async def run() -> None:
        turns = UploadTurns(100, 0.01)
        async with turns.turn(100):
            with pytest.raises(TimeoutError):
                await turns.turn(1).__aenter__()

    asyncio.run(run())


@pytest.mark.parametrize(("size", "released"), [(SMALL_BYTES + 1, 1), (SMALL_BYTES, 0)])
def test_memory_is_returned_after_large_bodies(size: int, released: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    monkeypatch.setattr(upload_memory, "_release", lambda: calls.append(None))
    monkeypatch.setattr(upload_memory, "_IDLE_S", 0.0)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def receive() -> Any:
        return {"type": "http.request", "body": bytes(size)}

    async def send(message: Any) -> None: ...

    async def run() -> None:
        middleware = ReturnedMemory(app)
        await asyncio.gather(*(middleware({"type": "http"}, receive, send) for _ in range(3)))
        await asyncio.sleep(0.01)

    asyncio.run(run())
    assert len(calls) == released


@pytest.mark.parametrize(
    ("headers", "bytes"),
    [
        ([], 0),
        ([(b"content-length", b"12")], 12),
        ([(b"content-length", b"x")], 0),
        ([(b"transfer-encoding", b"chunked")], 99),
    ],
)
def test_the_bytes_of_a_body_are_those_that_are_announced(headers: Any, bytes: int) -> None:
    assert upload_bytes({"type": "http", "headers": headers}, 99) == bytes
