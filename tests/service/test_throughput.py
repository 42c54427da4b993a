from __future__ import annotations

import pytest

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
