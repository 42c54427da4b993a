from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from upconv.service.admission import Admission, Ticket
from upconv.service.errors import AdmissionFullError, DeadlineError, TooLongError
from upconv.service.throughput import Throughput


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def admission(
    max_pictures: int = 10,
    max_bytes: int = 100,
    max_wait_s: float = 10,
    cores: int = 1,
    clock: Clock | None = None,
    max_long: int | None = None,
) -> Admission:
    return Admission(max_pictures, max_bytes, max_wait_s, Throughput(cores, clock or Clock()), max_long)


@contextmanager
def admitted(counted: Admission) -> Iterator[Ticket]:
    """A ticket whose body has arrived."""
    with counted.ticket() as ticket:
        ticket.admit()
        yield ticket


def test_places_are_counted_and_given_back() -> None:
    counted = admission(max_pictures=2)
    with admitted(counted) as first, admitted(counted) as second:
        first.hold(60)
        first.hold(50)
        second.hold(40)
        assert (counted.pictures, counted.bytes) == (2, 100)
        with pytest.raises(AdmissionFullError, match="2 pictures are"), counted.ticket():
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
    with admitted(counted) as first, admitted(counted) as second:
        with pytest.raises(TooLongError, match="about 10 s, over the 8 s allowed; send less, or send a picture to /v1/jobs"):
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


def test_a_time_without_work_says_nothing_of_the_pace() -> None:
    clock = Clock()
    counted = admission(clock=clock)
    with admitted(counted) as ticket:
        ticket.expect(0, limit_s=8)  # of a tensor without elements
    for _ in range(50):
        with admitted(counted) as first, admitted(counted) as second, admitted(counted) as third:
            for ticket, cost_s in ((first, 0.1), (second, 0.2), (third, 0.3)):  # which do not add up to 0 when taken back
                ticket.expect(cost_s, limit_s=8)
            clock.now += 0.6
            for ticket in (first, second, third):
                ticket.done()
        clock.now += 1000
    with admitted(counted) as ticket:
        ticket.expect(7, limit_s=8)
        assert counted.wait_s == pytest.approx(7)


def test_work_that_is_called_off_counts_as_far_as_it_went() -> None:
    clock = Clock()
    counted = admission(clock=clock)
    for _ in range(20):
        with admitted(counted) as large, admitted(counted) as small:
            large.expect(100, limit_s=200)
            for tile in range(1, 100):
                clock.now += 1
                large.advance(tile, 100)
            small.expect(1, limit_s=200)
            clock.now += 1
            small.done()
    with admitted(counted) as ticket:
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
        with admitted(client.state.admission):
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


@pytest.mark.parametrize(("wait_s", "refused"), [(10, False), (10.001, True)])
def test_the_longest_wait(wait_s: float, refused: bool) -> None:
    counted = admission(max_wait_s=10)
    counted.cost_s = wait_s
    if refused:
        with pytest.raises(AdmissionFullError):
            counted.check()
    else:
        counted.check()


@pytest.mark.parametrize(("pictures", "refused"), [(9, False), (10, True)])
def test_the_most_pictures(pictures: int, refused: bool) -> None:
    counted = admission(max_pictures=10)
    counted.pictures = pictures
    if refused:
        with pytest.raises(AdmissionFullError):
            counted.check()
    else:
        counted.check()


def test_the_most_bytes() -> None:
    counted = admission(max_bytes=100)
    counted.hold(100)
    with pytest.raises(AdmissionFullError):
        counted.hold(1)
    assert counted.bytes == 100, "what is refused is not counted"


@pytest.mark.parametrize(
    ("waiting_s", "cost_s", "limit_s", "error"),
    [
        (0, 8, 8, None),
        (0, 8.001, 8, TooLongError),
        (3, 5, 8, None),
        (3, 5.001, 8, AdmissionFullError),
        (0, 0, 0.001, None),
        (0, 0, 0, DeadlineError),
        (0, 0, -1, DeadlineError),
    ],
)
def test_the_time_of_a_request(waiting_s: float, cost_s: float, limit_s: float, error: type[Exception] | None) -> None:
    counted = admission()
    counted.cost_s = waiting_s
    if error is None:
        counted.expect(cost_s, limit_s)
        assert counted.cost_s == waiting_s + cost_s
    else:
        with pytest.raises(error) as refused:
            counted.expect(cost_s, limit_s)
        assert counted.cost_s == waiting_s, "what is refused is not counted"
        if error is DeadlineError:
            assert str(refused.value) == (
                "the deadline of this request passed before the work began; allow more time, or send a smaller file"
            )


@pytest.mark.parametrize(("cost_s", "seconds"), [(309, 299), (310, 300), (311, 300)])
def test_nobody_is_sent_away_for_more_than_five_minutes(cost_s: float, seconds: int) -> None:
    counted = admission(max_wait_s=10)
    counted.pictures, counted.cost_s = 1000, cost_s
    assert counted.retry_after_s == seconds
    assert counted.full("it is full").retry_after_s == seconds


def test_bytes_grow_to_what_is_held_in_all() -> None:
    counted = admission()
    with counted.reading() as ticket:
        for bytes, held in ((10, 10), (30, 30), (20, 30), (30, 30)):
            ticket.hold(bytes)
            assert (counted.bytes, ticket.held) == (held, held)
    assert (counted.bytes, counted.pictures, ticket.held) == (0, 0, 0)
    ticket.release()
    assert (counted.bytes, counted.pictures) == (0, 0), "leaving twice takes nothing from others"


def test_costs_below_a_second_are_taken_back_exactly() -> None:
    counted = admission()
    with admitted(counted) as first, admitted(counted) as second:
        first.expect(0.5, limit_s=8)
        second.expect(0.25, limit_s=8)
        first.done()
        assert (counted.cost_s, counted.pictures) == (0.25, 1)


def test_work_begins_with_the_first_cost() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 10, throughput)
    clock.now += 1000
    with admitted(counted) as first, admitted(counted) as second:
        first.expect(0.5, limit_s=8)
        clock.now += 1
        second.expect(1, limit_s=8)  # the time of the first goes on
        first.done()
        fade = 0.5 ** (1 / 10)
        assert throughput.per_s == pytest.approx((fade + 0.5) / (fade + 1))


@pytest.mark.parametrize("expected", [True, False])
def test_what_costs_nothing_is_no_measurement(expected: bool) -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 10, throughput)
    with admitted(counted) as ticket:
        if expected:
            ticket.expect(0, limit_s=8)
        clock.now += 5
        ticket.done()
    assert throughput.per_s == 1


def test_bodies_that_arrive_while_others_do_are_refused_at_the_end() -> None:
    counted = admission(max_pictures=1)
    with counted.ticket() as first, counted.ticket() as second:
        first.admit()
        with pytest.raises(AdmissionFullError, match="1 pictures are"):
            second.admit()
    assert counted.pictures == 0


@pytest.mark.parametrize(("waited_s", "let_go"), [(19.9, False), (20, True)])
def test_memory_of_a_body_that_takes_long_is_given_to_others(waited_s: float, let_go: bool) -> None:
    clock = Clock()
    counted = Admission(10, 100, 10, Throughput(1, clock))
    stopped: list[str] = []
    with counted.reading() as slow, counted.reading() as quick, slow.arriving(lambda: stopped.append("slow")):
        slow.hold(60)
        clock.now += waited_s
        with quick.arriving(lambda: stopped.append("quick")):
            if let_go:
                quick.hold(60)
            else:
                with pytest.raises(AdmissionFullError, match="60 bytes"):
                    quick.hold(60)
        assert (stopped, counted.bytes) == ((["slow"], 60) if let_go else ([], 60))
    assert counted.bytes == 0


def test_bytes_that_wait_for_their_turn_are_kept() -> None:
    clock = Clock()
    counted = Admission(10, 100, 10, Throughput(1, clock))
    with counted.reading() as waiting, counted.reading() as next_one:
        with waiting.arriving(lambda: None):
            waiting.hold(60)
        clock.now += 1000
        with pytest.raises(AdmissionFullError), next_one.arriving(lambda: None):
            next_one.hold(60)
    assert counted.bytes == 0


def test_a_long_picture_does_not_refuse_short_ones() -> None:
    clock = Clock()
    counted = admission(max_wait_s=10, cores=2, max_long=1, clock=clock)
    with admitted(counted) as long, admitted(counted) as second, admitted(counted) as short:
        long.expect(80, limit_s=120)
        assert counted.wait_s == 40, "the predicted time of all pictures"
        counted.check()
        short.expect(2, limit_s=3)  # a long picture counts as a second
        with pytest.raises(AdmissionFullError, match="1 pictures of more than 10 s are being processed"):
            second.expect(60, limit_s=120)
        with pytest.raises(AdmissionFullError, match="about 41 s of work"):
            second.expect(160, limit_s=120)
        clock.now += 40
        long.done()
        second.expect(60, limit_s=120)
        assert counted.wait_s == pytest.approx(31)
    assert counted.cost_s == 0
    with admitted(counted) as ticket:
        ticket.expect(20, limit_s=11)
        with pytest.raises(AdmissionFullError, match="about 10 s"):
            counted.expect(3, limit_s=11)


def test_a_part_of_long_pictures_is_spared_until_they_are_done() -> None:
    counted = admission(max_wait_s=10, cores=2, max_long=2)
    spared = [counted.expect(cost_s, limit_s=120) for cost_s in (80, 60)]
    assert spared == [78, 58], "each counts as a second of two cores"
    counted.done(80, 78)
    with pytest.raises(AdmissionFullError, match="about 1 s of work"):
        counted.expect(4, limit_s=2.9)
    counted.expect(4, limit_s=3)


def test_no_long_picture_is_admitted_if_none_may_be() -> None:
    counted = admission(max_wait_s=10, max_long=0)
    with pytest.raises(AdmissionFullError, match="0 pictures of more than 10 s"):
        counted.expect(11, limit_s=120)
    counted.expect(10, limit_s=120)


def test_a_reader_of_a_result_is_stopped_if_others_need_the_memory() -> None:
    clock = Clock()
    counted = Admission(10, 100, 10, Throughput(1, clock))
    stopped: list[str] = []
    with counted.reading() as slow, slow.sending(60, lambda: stopped.append("slow")):
        clock.now += 20
        with counted.sending(60, lambda: None):
            assert (stopped, counted.results.bytes) == (["slow"], 60)


def test_tiles_after_the_end_of_a_request_are_not_counted() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 10, throughput)
    with admitted(counted) as ticket:
        ticket.advance(1, 1)
        ticket.expect(8, limit_s=20)
        ticket.advance(1, 4)
    before = throughput.per_s
    clock.now += 1
    ticket.advance(4, 4)
    ticket.record()
    ticket.done()
    assert throughput.per_s == before


def test_work_that_is_predicted_to_cost_nothing_takes_time() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 10, throughput)
    with admitted(counted) as ticket:
        ticket.expect(0, limit_s=8, tile_share=0)
        ticket.begin()
        clock.now += 10
        ticket.done()
    assert throughput.per_s == pytest.approx(0.5 / 10.5)


@pytest.mark.parametrize(("cost_s", "long"), [(10, False), (10.001, True)])
def test_a_picture_is_long_beyond_the_longest_wait(cost_s: float, long: bool) -> None:
    counted = admission(max_wait_s=10, max_long=3)
    assert counted.expect(cost_s, limit_s=120) == pytest.approx(cost_s - 1 if long else 0)
    assert admission(max_wait_s=10).expect(cost_s, limit_s=120) == 0, "without a limit, none is long"


def test_the_tiles_are_a_share_of_the_work() -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 10, throughput)
    with admitted(counted) as ticket:
        ticket.expect(8, limit_s=20, tile_share=0.25)
        clock.now += 2
        ticket.advance(1, 1)
        assert throughput.per_s == pytest.approx(1)
        clock.now += 6
        ticket.done()
        assert throughput.per_s == pytest.approx(1)


@pytest.mark.parametrize(("taken_s", "per_s"), [(5, 1), (14, 0.735)])
def test_an_abandoned_encoding_counts_by_its_time_up_to_its_prediction(taken_s: float, per_s: float) -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 100, throughput)
    with admitted(counted) as ticket:
        ticket.expect(12, limit_s=20, tile_share=1 / 6)
        clock.now += 2
        ticket.advance(1, 1)
        clock.now += taken_s
    assert throughput.per_s == pytest.approx(per_s, abs=0.001)


@pytest.mark.parametrize("tile_share", [0.0, 0.5])
def test_a_long_encoding_does_not_look_like_a_standstill(tile_share: float) -> None:
    clock = Clock()
    throughput = Throughput(2, clock)
    counted = Admission(10, 100, 10, throughput, max_long=3)
    with admitted(counted) as first, admitted(counted) as second:
        for ticket in (first, second):
            ticket.expect(80, limit_s=120, tile_share=tile_share)
            ticket.begin()
        clock.now += 1
        for ticket in (first, second):
            if tile_share:
                ticket.advance(1, 1)
        for _ in range(38):
            clock.now += 1
            with admitted(counted) as short:
                short.expect(0.01, limit_s=5)
                short.done()
        assert throughput.per_s >= 1.9
    with admitted(counted) as ticket:
        ticket.expect(20, limit_s=11)


@pytest.mark.parametrize(("taken_s", "per_s"), [(5, 1.5), (10, 1), (40, 0.25)])
def test_the_duration_of_work_without_tiles_corrects_the_throughput(taken_s: float, per_s: float) -> None:
    clock = Clock()
    throughput = Throughput(1, clock)
    counted = Admission(10, 100, 100, throughput)
    for _ in range(40):
        with admitted(counted) as ticket:
            ticket.expect(10, limit_s=1000, tile_share=0)
            ticket.begin()
            clock.now += taken_s
            ticket.done()
        assert counted.tickets == set()
    assert throughput.per_s == pytest.approx(per_s, rel=0.4)
    assert (throughput.per_s > 1) is (per_s > 1)
