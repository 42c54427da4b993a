from __future__ import annotations

import pytest

from upconv.service.errors import RateLimitError
from upconv.service.rates import Rates


def test_tokens_come_back() -> None:
    now = [0.0]
    rates = Rates(2, burst=3, clock=lambda: now[0])
    for _ in range(3):
        rates.take("a")
    with pytest.raises(RateLimitError, match="2 requests a second and has sent more; try again in 1 s"):
        rates.take("a")
    rates.take("b")
    now[0] = 0.5
    rates.take("a")
    with pytest.raises(RateLimitError):
        rates.take("a")
    now[0] = 60
    for _ in range(3):
        rates.take("a")
    with pytest.raises(RateLimitError):
        rates.take("a")


def test_no_limit() -> None:
    rates = Rates(None, burst=1)
    for _ in range(10):
        rates.take("a")
    rates.take("a", own_per_s=0.1)
    with pytest.raises(RateLimitError) as refused:
        rates.take("a", own_per_s=0.1)
    assert refused.value.retry_after_s == 10


def test_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.service.rates.MAX_CLIENTS", 2)
    rates = Rates(1, burst=1, clock=lambda: 0.0)
    for client in ("a", "b", "c", "a"):
        rates.take(client)
    with pytest.raises(RateLimitError):
        rates.take("c")


@pytest.mark.parametrize(("others", "forgotten"), [(9_999, False), (10_000, True)])
def test_ten_thousand_clients_are_remembered(others: int, forgotten: bool) -> None:
    rates = Rates(1, burst=1, clock=lambda: 0.0)
    for number in range(-1, others):
        rates.take(str(number))
    if forgotten:
        rates.take("-1")
    else:
        with pytest.raises(RateLimitError):
            rates.take("-1")


def test_a_token_is_given_back() -> None:
    rates = Rates(1, burst=1, clock=lambda: 0.0)
    rates.give_back("unknown")
    for _ in range(3):
        rates.take("a")
        rates.give_back("a")
    rates.take("a")
    with pytest.raises(RateLimitError):
        rates.take("a")
