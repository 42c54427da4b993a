from __future__ import annotations

from typing import Any

import anyio
import pytest
from starlette.types import Message

from upconv.service.sending import PictureResponse


async def _receive() -> Message:
    raise AssertionError("a response reads nothing")


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1])
def test_all_bytes_are_sent_before_the_release(size: int) -> None:
    events: list[Any] = []

    async def send(message: Message) -> None:
        events.append(message)

    response = PictureResponse(b"x" * size, {}, lambda: events.append("released"), 1)
    anyio.run(response, {"type": "http"}, _receive, send)
    bodies = events[1:-1]
    assert events[-1] == "released"
    assert sum(len(body["body"]) for body in bodies) == size
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]


def test_a_client_that_takes_nothing_is_given_up() -> None:
    events: list[Any] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await anyio.sleep_forever()

    anyio.run(PictureResponse(b"x", {}, lambda: events.append("released"), 0.01), {"type": "http"}, _receive, send)
    assert events == ["released"]
