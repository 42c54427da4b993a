from __future__ import annotations

from typing import Any

import anyio
import pytest
from starlette.types import Message

from upconv.service.admission import Admission
from upconv.service.sending import PictureResponse
from upconv.service.throughput import Throughput


async def _receive() -> Message:
    raise AssertionError("a response reads nothing")


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 18) + 1])
def test_all_bytes_are_sent_before_the_release(size: int) -> None:
    counted = Admission(10, 100, 10, Throughput(1))
    events: list[Any] = []

    async def send(message: Message) -> None:
        assert counted.results.bytes == size
        events.append(message)

    with counted.reading() as ticket:
        response = PictureResponse((b"x" * size,), {}, ticket, lambda: events.append("released"))
        anyio.run(response, {"type": "http"}, _receive, send)
    bodies = events[1:-1]
    assert events[-1] == "released"
    assert sum(len(body["body"]) for body in bodies) == size
    assert [body["more_body"] for body in bodies] == [True] * (len(bodies) - 1) + [False]
    assert counted.results.bytes == 0


def test_parts_are_sent_as_one_body() -> None:
    sent: list[Any] = []

    async def send(message: Message) -> None:
        sent.append(message)

    with Admission(10, 100, 10, Throughput(1)).reading() as ticket:
        response = PictureResponse((b"head", memoryview(b"tail" * 100_000), b""), {}, ticket, lambda: None)
        anyio.run(response, {"type": "http"}, _receive, send)
    assert b"".join(message["body"] for message in sent[1:]) == b"head" + b"tail" * 100_000
    assert [message["more_body"] for message in sent[1:]] == [True, True, False]
    assert (b"content-length", b"400004") in sent[0]["headers"]


@pytest.mark.parametrize(("waited_s", "given_up"), [(19.9, False), (20.0, True)])
def test_memory_of_a_slow_client_is_given_to_others(waited_s: float, given_up: bool) -> None:
    now = [0.0]
    counted = Admission(10, 100, 10, Throughput(1, lambda: now[0]))

    async def both() -> bool:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await anyio.sleep_forever()

        with counted.reading() as ticket:
            response = PictureResponse((b"x" * 60,), {}, ticket, lambda: None)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(response, {"type": "http"}, _receive, send)
                await anyio.wait_all_tasks_blocked()
                now[0] += waited_s
                with counted.sending(60, lambda: None):
                    await anyio.wait_all_tasks_blocked()
                    ended = counted.results.bytes == 60
                tasks.cancel_scope.cancel()
        return ended

    assert anyio.run(both) is given_up
    assert counted.results.bytes == 0
