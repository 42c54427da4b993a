from __future__ import annotations

import pytest

from upconv.service.moving import PATIENCE_S, Moving


@pytest.mark.parametrize(("age_s", "let_go"), [(PATIENCE_S - 0.1, []), (PATIENCE_S, ["first"])])
def test_the_first_of_the_old_transfers_is_let_go(age_s: float, let_go: list[str]) -> None:
    now = [0.0]
    moving = Moving(lambda: now[0])
    ended: list[str] = []

    def end(name: str) -> None:
        ended.append(name)
        moving.bytes -= 50

    with moving.transfer(lambda: end("first")):
        now[0] += age_s
        with moving.transfer(lambda: end("second")):
            moving.bytes = 100
            assert moving.make_room(0, 100)
            assert ended == [], "no one ends if there is room"
            assert moving.make_room(50, 100) is bool(let_go)
            assert ended == let_go
            assert not moving.make_room(101, 100)
    moving.bytes = 0
    assert not moving.make_room(101, 100), "all transfers have ended"
