from __future__ import annotations

import pytest
from tests.service.tickets import Clock, admission, admitted

from upconv.service.admission import Admission
from upconv.service.errors import AdmissionFullError, DeadlineError, TooLongError
from upconv.service.throughput import Throughput


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


@pytest.mark.parametrize(
    ("cost_s", "pictures", "expected"), [(0.5, 1, 1), (8, 8, 1), (20, 8, 10), (30, 1, 30), (1e6, 8, 300), (0, 0, 1)]
)
def test_when_to_come_back(cost_s: float, pictures: int, expected: int) -> None:
    counted = admission()
    counted.pictures, counted.cost_s = pictures, cost_s
    assert counted.retry_after_s == expected


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


@pytest.mark.parametrize(("cost_s", "long"), [(10, False), (10.001, True)])
def test_a_picture_is_long_beyond_the_longest_wait(cost_s: float, long: bool) -> None:
    counted = admission(max_wait_s=10, max_long=3)
    assert counted.expect(cost_s, limit_s=120) == pytest.approx(cost_s - 1 if long else 0)
    assert admission(max_wait_s=10).expect(cost_s, limit_s=120) == 0, "without a limit, none is long"
