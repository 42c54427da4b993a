from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from upconv.service.admission import Admission, Throughput
from upconv.service.errors import AdmissionFullError, DeadlineError, TooLongError


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(
    max_pictures: int = 10, max_bytes: int = 100, max_wait_s: float = 10, cores: int = 1, clock: Clock | None = None
) -> Admission:
    return Admission(max_pictures, max_bytes, max_wait_s, Throughput(cores, clock or Clock()))


def test_places_are_counted_and_given_back() -> None:
    counted = admission(max_pictures=2)
    with counted.ticket() as first, counted.ticket() as second:
        first.hold(60)
        first.hold(50)
        second.hold(40)
        assert (counted.pictures, counted.bytes) == (2, 100)
        with pytest.raises(AdmissionFullError, match="2 pictures are being processed or waiting"), counted.ticket():
            pass
        with pytest.raises(AdmissionFullError, match="100 bytes"):
            second.hold(41)
        first.done()
        assert (counted.pictures, counted.bytes) == (1, 100), "while the answer is sent, the bytes are still there"
    assert (counted.pictures, counted.bytes, counted.cost_s) == (0, 0, 0)


def test_bodies_alone_take_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = admission()
    with counted.reading() as ticket:
        ticket.hold(7)
        assert (counted.pictures, counted.bytes) == (0, 7)
    assert counted.bytes == 0


def test_predicted_time_decides() -> None:
    counted = admission(max_wait_s=5, cores=2)
    with counted.ticket() as first, counted.ticket() as second:
        with pytest.raises(TooLongError, match="about 10 s, over the 8 s allowed; send it to /v1/jobs"):
            first.expect(20, limit_s=8)
        first.expect(12, limit_s=8)
        assert counted.wait_s == 6
        with pytest.raises(AdmissionFullError, match="about 6 s of work are waiting; try again in 3 s") as refused:
            second.expect(6, limit_s=8)
        assert refused.value.retry_after_s == 3
        with pytest.raises(AdmissionFullError, match="6 s of work"), counted.ticket():
            pass
        second.expect(1, limit_s=8)
        first.done()
        assert counted.cost_s == 1
    assert counted.cost_s == 0


def test_pace_is_learned() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    for _ in range(100):
        clock.now += 4
        throughput.advance(1)
    assert throughput.per_s == pytest.approx(0.25, rel=0.01), "predictions are four times too small"
    clock.now += 1000
    throughput.begin()
    clock.now += 4
    throughput.advance(1)
    assert throughput.per_s == pytest.approx(0.25, rel=0.01), "a time without work says nothing"


def test_a_time_without_work_says_nothing_of_the_pace() -> None:
    clock = Clock()
    counted = admission(clock=clock)
    with counted.ticket() as ticket:
        ticket.expect(0, limit_s=8)  # of a tensor without elements
    for _ in range(50):
        with counted.ticket() as first, counted.ticket() as second, counted.ticket() as third:
            for ticket, cost_s in ((first, 0.1), (second, 0.2), (third, 0.3)):  # which do not add up to 0 when taken back
                ticket.expect(cost_s, limit_s=8)
            clock.now += 0.6
            for ticket in (first, second, third):
                ticket.done()
        clock.now += 1000
    with counted.ticket() as ticket:
        ticket.expect(7, limit_s=8)
        assert counted.wait_s == pytest.approx(7)


def test_work_that_is_called_off_counts_as_far_as_it_went() -> None:
    clock = Clock()
    counted = admission(clock=clock)
    for _ in range(20):
        with counted.ticket() as large, counted.ticket() as small:
            large.expect(100, limit_s=200)
            for tile in range(1, 100):
                clock.now += 1
                large.advance(tile, 100)
            small.expect(1, limit_s=200)
            clock.now += 1
            small.done()
    with counted.ticket() as ticket:
        ticket.expect(7, limit_s=8)
        assert counted.wait_s == pytest.approx(7)


@pytest.mark.parametrize(
    ("cost_s", "pictures", "expected"), [(0.5, 1, 1), (8, 8, 1), (20, 8, 10), (30, 1, 30), (1e6, 8, 300), (0, 0, 1)]
)
def test_when_to_come_back(cost_s: float, pictures: int, expected: int) -> None:
    counted = admission()
    counted.pictures, counted.cost_s = pictures, cost_s
    assert counted.retry_after_s == expected


def test_full_service(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_waiting=1) as client:
        with client.state.admission.ticket():
            answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["type"], answer.headers["retry-after"]) == (503, "/docs#full", "1")
        assert client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"}).status_code == 200


def test_no_room_for_the_bytes(client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(max_bytes=10_000, max_waiting_bytes=10_000) as client, client.state.admission.reading() as ticket:
        ticket.hold(9_990)
        answer = client.post("/v1/upscale", content=encoded(), headers={"Content-Type": "image/png"})
        assert (answer.status_code, int(answer.headers["retry-after"])) == (503, 1)


@pytest.mark.parametrize(("wait_s", "seconds", "status"), [(50, "60", 503), (50, None, 503), (0, None, 200)])
def test_a_long_line(
    client_with: Callable[..., Any], encoded: Callable[..., bytes], wait_s: float, seconds: str | None, status: int
) -> None:
    with client_with(max_wait_s=40) as client:
        client.state.admission.cost_s = wait_s
        headers = {"X-Upconv-Timeout": seconds} if seconds else {}
        answer = client.post("/v1/upscale", content=encoded(), headers=headers)
        assert answer.status_code == status
        if status == 503:
            assert int(answer.headers["retry-after"]) == 50
        client.state.admission.cost_s = 0


@pytest.mark.parametrize(("seconds", "share"), [(0, 1), (10, 1 / 2), (20, 1 / 4)])
def test_what_was_seen_ten_seconds_of_work_ago_counts_half(seconds: float, share: float) -> None:
    clock = Clock()
    throughput = Throughput(4, clock)
    clock.now += seconds
    throughput.advance(0)
    assert throughput.per_s == pytest.approx(share * 4 / (share + seconds))


@pytest.mark.parametrize(
    ("cost_s", "limit_s", "refusal"),
    [(8, 8, None), (8.01, 8, TooLongError), (1, 1e-9, TooLongError), (0, 0, DeadlineError), (0, 1e-9, None)],
)
def test_a_picture_may_take_as_long_as_its_limit(cost_s: float, limit_s: float, refusal: type[Exception] | None) -> None:
    with admission().ticket() as ticket:
        if refusal is None:
            ticket.expect(cost_s, limit_s)
        else:
            with pytest.raises(refusal):
                ticket.expect(cost_s, limit_s)


@pytest.mark.parametrize(("second_s", "allowed"), [(3, True), (3.01, False)])
def test_pictures_together_may_take_as_long_as_the_limit(second_s: float, allowed: bool) -> None:
    counted = admission()
    with counted.ticket() as first, counted.ticket() as second:
        first.expect(5, limit_s=8)
        if allowed:
            second.expect(second_s, limit_s=8)
        else:
            with pytest.raises(AdmissionFullError, match="5 s of work"):
                second.expect(second_s, limit_s=8)


@pytest.mark.parametrize(("waiting_s", "allowed"), [(10, True), (10.01, False)])
def test_pictures_come_in_up_to_the_predicted_wait(waiting_s: float, allowed: bool) -> None:
    counted = admission(max_wait_s=10)
    counted.cost_s = waiting_s
    if allowed:
        counted.check()
    else:
        with pytest.raises(AdmissionFullError, match="10 s of work"):
            counted.check()


@pytest.mark.parametrize(("wait_s", "seconds"), [(0.1, 1), (309.9, 300), (310.1, 300), (308.5, 299)])
def test_nobody_is_told_to_come_back_after_more_than_five_minutes(wait_s: float, seconds: int) -> None:
    counted = admission(max_wait_s=10)
    counted.pictures, counted.cost_s = 1000, wait_s
    assert counted.retry_after_s == seconds


def test_a_ticket_holds_the_bytes_so_far_in_total() -> None:
    admission = Admission(10, 100, 60, Throughput(1))
    with admission.reading() as ticket:
        for so_far in (40, 70, 60, 70):
            ticket.hold(so_far)
        assert (ticket.held, admission.bytes, admission.pictures) == (70, 70, 0)
        with admission.reading() as other, pytest.raises(AdmissionFullError):
            other.hold(31)
        ticket.hold(100)
    assert (ticket.held, admission.bytes, admission.pictures) == (0, 0, 0)


def test_the_throughput_is_measured_from_the_first_picture_after_a_pause() -> None:
    now = [0.0]
    throughput = Throughput(1, lambda: now[0])
    admission = Admission(10, 100, 1000, throughput)
    now[0] = 500.0  # nothing to do for a long time, which says nothing about the speed
    with admission.ticket() as ticket:
        ticket.expect(10, 1000)
        now[0] += 10
        ticket.done()
    assert throughput.per_s == pytest.approx(1.0)


def test_the_cost_of_a_picture_leaves_with_it() -> None:
    admission = Admission(10, 100, 1000, Throughput(1))
    with admission.ticket() as first, admission.ticket() as second:
        first.expect(3, 1000)
        second.expect(4, 1000)
        assert admission.cost_s == 7
        first.done()
        assert (admission.cost_s, admission.pictures) == (4, 1)
    assert (admission.cost_s, admission.pictures) == (0, 0)
