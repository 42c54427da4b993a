from __future__ import annotations

import pytest
from tests.service.tickets import Clock, admission, admitted

from upconv.service.admission import Admission
from upconv.service.throughput import Throughput


def test_pace_is_learned() -> None:
    now = [100.0]
    throughput = Throughput(1, lambda: now[0])
    for _ in range(100):
        now[0] += 4
        throughput.advance(1)
    assert throughput.per_s == pytest.approx(0.25, rel=0.01), "predictions are four times too small"
    now[0] += 1000
    throughput.begin()
    now[0] += 4
    throughput.advance(1)
    assert throughput.per_s == pytest.approx(0.25, rel=0.01), "a time without work says nothing"


@pytest.mark.parametrize(("seconds", "counts"), [(10, 0.5), (20, 0.25)])
def test_a_measurement_counts_half_after_ten_seconds_of_work(seconds: float, counts: float) -> None:
    now = [100.0]
    throughput = Throughput(1, lambda: now[0])
    now[0] += seconds
    throughput.advance(5)
    assert throughput.per_s == pytest.approx((counts + 5) / (counts + seconds))


def test_before_any_work_a_core_does_a_second_a_second() -> None:
    assert Throughput(3).per_s == 3


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
