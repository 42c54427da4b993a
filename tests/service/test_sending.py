from __future__ import annotations

from typing import Any

import anyio
import pytest

from upconv.service.sending import PictureResponse

CHUNK = 1 << 18


def sent(length: int, slow_at: int | None = None) -> tuple[list[Any], int]:
    """Return the messages of a response of this length, and how often it was released."""
    messages: list[Any] = []
    released: list[None] = []

    async def send(message: Any) -> None:
        if slow_at is not None and len(messages) == slow_at:
            await anyio.sleep_forever()
        messages.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    response = PictureResponse(bytes(length), {"ETag": '"e"'}, lambda: released.append(None), 0.01)
    anyio.run(response, {"type": "http"}, receive, send)
    return messages, len(released)


@pytest.mark.parametrize(("length", "chunks"), [(0, 1), (1, 1), (CHUNK, 1), (CHUNK + 1, 2), (3 * CHUNK, 3)])
def test_a_picture_is_sent_in_chunks_and_released_once(length: int, chunks: int) -> None:
    (start, *bodies), released = sent(length)
    assert dict(start["headers"])[b"content-length"] == str(length).encode()
    assert dict(start["headers"])[b"etag"] == b'"e"'
    assert sum(len(body["body"]) for body in bodies) == length
    assert [body["more_body"] for body in bodies] == [True] * (chunks - 1) + [False]
    assert released == 1


def test_a_client_that_takes_no_chunk_in_time_ends_the_response() -> None:
    messages, released = sent(3 * CHUNK, slow_at=2)
    assert len(messages) == 2, "the start and the first chunk"
    assert released == 1
