from __future__ import annotations

from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.remote.remote_options import MOST_IN_FLIGHT, RemoteOptions


@pytest.mark.parametrize(
    "given", [{}, {"in_flight": 1}, {"in_flight": MOST_IN_FLIGHT}, {"wire": "uint8"}, {"patience_s": 1e-3}]
)
def test_options_within_bounds(given: dict[str, Any]) -> None:
    RemoteOptions(**given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"in_flight": 0}, "1 to 64"),
        ({"in_flight": MOST_IN_FLIGHT + 1}, "1 to 64"),
        ({"wire": "fp8"}, "fp32, fp16, uint8"),
        ({"patience_s": 0}, "patience_s must be a number of seconds above 0"),
        ({"tile_timeout_s": float("inf")}, "tile_timeout_s must be"),
    ],
)
def test_options_out_of_bounds(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ParameterError, match=why):
        RemoteOptions(**given)


def test_a_key_is_not_shown() -> None:
    assert "secret" not in repr(RemoteOptions(key="secret"))
