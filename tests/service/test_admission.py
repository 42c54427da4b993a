from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from upconv.service.admission import Admission
from upconv.service.errors import FullError


def test_places_are_counted_and_given_back() -> None:
    admission = Admission(max_pictures=2, max_bytes=100, at_once=1)
    with admission.place() as first, admission.place() as second:
        first.hold(60)
        first.hold(50)
        second.hold(40)
        assert (admission.pictures, admission.bytes) == (2, 100)
        with pytest.raises(FullError, match="2 pictures are in work or waiting"), admission.place():
            pass
        with pytest.raises(FullError, match="100 bytes"):
            second.hold(41)
    assert (admission.pictures, admission.bytes) == (0, 0)


@pytest.mark.parametrize(
    ("seconds", "pictures", "at_once", "expected"),
    [(1.0, 1, 4, 1), (1.0, 8, 4, 2), (11.0, 8, 4, 4), (1e6, 8, 1, 300), (0.0, 1, 1, 1)],
)
def test_when_to_come_back(seconds: float, pictures: int, at_once: int, expected: int) -> None:
    admission = Admission(max_pictures=10, max_bytes=1, at_once=at_once)
    admission.took(seconds)
    admission.pictures = pictures
    assert admission.retry_after_s == expected


def test_full_service(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_waiting=1) as client:
        with client.state.admission.place():
            answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#full", "1")
        assert client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"}).status_code == 200


def test_no_room_for_the_bytes(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_bytes=10_000, max_waiting_bytes=10_000) as client, client.state.admission.place() as place:
        place.hold(9_990)
        answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, int(answer.headers["retry-after"])) == (503, 1)
