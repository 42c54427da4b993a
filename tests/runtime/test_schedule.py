from __future__ import annotations

import threading
import time
from collections import Counter
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upconv.runtime.contract import Contract, Halo, Provenance, SizeLaw
from upconv.runtime.errors import Overloaded, TimedOut
from upconv.runtime.schedule import TURN_TILES, PictureRequest, Priority, Schedule
from upconv.runtime.tiled_array import TiledArray
from upconv.runtime.tiling import plan_tiles

CONTRACT = Contract(
    name="t",
    task="upscale",
    height=SizeLaw(scale=1),
    width=SizeLaw(scale=1),
    halo=Halo(top=0, bottom=0, left=0, right=0),
    opset=18,
    provenance=Provenance(source="t"),
)


def request(tiles: int, side: int = 8, priority: Priority = Priority.NORMAL, deadline: float = float("inf")) -> PictureRequest:
    """Return a request with this number of tiles, side by side."""
    work = TiledArray(np.empty((1, side, side * tiles), np.float32), plan_tiles(side, side * tiles, CONTRACT, side))
    made = PictureRequest(work, priority=priority, deadline=deadline)
    assert len(made.waiting) == tiles
    return made


def order(*requests: PictureRequest) -> list[int]:
    """Return the numbers of the requests in the order in which their tiles are taken."""
    schedule = Schedule(100, 10**9)
    for one in requests:
        schedule.add(one)
    taken = []
    while jobs := schedule.take():
        taken += [requests.index(job) for job, _ in jobs]
    return taken


def test_equal_requests_take_turns() -> None:
    tiles = 8 * TURN_TILES
    taken = order(request(tiles), request(tiles), request(tiles))
    for start in range(0, 3 * tiles, 3 * TURN_TILES):
        counts = Counter(taken[start : start + 3 * TURN_TILES]).values()
        assert len(counts) == 3
        assert max(counts) <= TURN_TILES + 1


def test_small_pictures_are_done_one_after_the_other() -> None:
    taken = order(*(request(2) for _ in range(6)))
    assert taken == [number for number in range(6) for _ in range(2)]


def test_shares_are_of_pixels_not_of_tiles() -> None:
    taken = order(request(40, side=16), request(160, side=8))
    assert Counter(taken[:100]) == {0: 20, 1: 80}


@pytest.mark.parametrize(("priority", "share"), [(Priority.BACKGROUND, 1 / 8), (Priority.URGENT, 8)])
def test_priorities_are_shares(priority: Priority, share: float) -> None:
    taken = Counter(order(request(400, priority=priority), request(400))[:360])
    assert taken[0] / taken[1] == pytest.approx(share, rel=0.1)


def test_a_newcomer_goes_first() -> None:
    schedule, large, small = Schedule(100, 10**9), request(50), request(1)
    schedule.add(large)
    for _ in range(7):
        schedule.take()
    schedule.add(small)
    assert schedule.take()[0][0] is small


def test_newcomers_without_end_hold_nobody_up_for_ever() -> None:
    schedule, large = Schedule(100, 10**9), request(50)
    schedule.add(large)
    taken = []
    for _ in range(60):
        schedule.add(request(1))
        taken += [job is large for job, _ in schedule.take()]
    assert all(any(taken[start : start + 20]) for start in range(0, 60, 20))


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from([4, 8, 16]), st.sampled_from(list(Priority))), max_size=8))
def test_every_tile_is_taken_once(kinds: list[tuple[int, int, Priority]]) -> None:
    requests = [request(tiles, side, priority) for tiles, side, priority in kinds]
    assert Counter(order(*requests)) == {number: tiles for number, (tiles, _, _) in enumerate(kinds)}


def test_batches_are_of_one_shape() -> None:
    schedule = Schedule(100, 10**9)
    for one in (request(3), request(2), request(2, side=16)):
        schedule.add(one)
    seen = 0
    while jobs := schedule.take(4):
        assert len({tile.shape for _, tile in jobs}) == 1
        seen += len(jobs)
    assert seen == 7


def test_what_is_over_is_dropped_and_what_is_late_is_told() -> None:
    schedule = Schedule(2, 10**9)
    late, cancelled, third = request(3, deadline=time.monotonic() - 1), request(3), request(1)
    schedule.add(late)
    schedule.add(cancelled)
    cancelled.future.cancel()
    schedule.add(third)  # the other two no longer count
    assert [job for job, _ in schedule.take()] == [third]
    assert isinstance(late.future.exception(), TimedOut)
    assert cancelled.cancellation.cancelled


def test_the_line_is_bounded_by_requests_and_by_pixels() -> None:
    schedule = Schedule(2, 10**9)
    schedule.add(request(1))
    schedule.add(request(1))
    with pytest.raises(Overloaded, match="2 pictures"):
        schedule.add(request(1))
    schedule = Schedule(9, 100)
    schedule.add(request(5))
    with pytest.raises(Overloaded, match="megapixels"):
        schedule.add(request(1))


def test_a_turn_is_four_tiles() -> None:
    taken = order(request(24), request(24))[8:]  # behind those that newcomers got
    assert [len(list(turn)) for _, turn in groupby(taken)] == [4] * 10


def test_priorities_are_one_to_eight_to_sixty_four() -> None:
    assert [int(priority) for priority in Priority] == [1, 8, 64]
    assert (
        PictureRequest(TiledArray(np.empty((1, 8, 8), np.float32), plan_tiles(8, 8, CONTRACT, 8))).priority is Priority.NORMAL
    )


@pytest.mark.parametrize(("limit_px", "fits"), [(5 * 64 + 64, True), (5 * 64 + 63, False)])
def test_pixels_may_wait_up_to_the_bound(limit_px: int, fits: bool) -> None:
    schedule = Schedule(9, limit_px)
    schedule.add(request(5))
    if fits:
        schedule.add(request(1))
        assert schedule.waiting_px == limit_px
    else:
        with pytest.raises(Overloaded, match="megapixels"):
            schedule.add(request(1))


def test_newcomers_go_first_at_every_second_tile() -> None:
    schedule, large, first, second = Schedule(100, 10**9), request(50), request(1), request(1)
    schedule.add(large)
    for _ in range(2):
        schedule.take()
    schedule.add(first)
    schedule.add(second)
    assert [schedule.take()[0][0] for _ in range(4)] == [first, large, second, large]


def test_the_progress_is_told_before_the_future_completes() -> None:
    told: list[tuple[int, int, bool]] = []
    made = request(2)
    made.on_tile = lambda done, total: told.append((done, total, made.over))
    made.finish_one()
    assert not made.over
    made.finish_one()
    assert told == [(1, 2, False), (2, 2, False)]
    assert made.future.result(0) is None


def test_the_future_waits_for_the_progress_that_another_worker_tells() -> None:
    told, last_is_told = list[int](), threading.Event()

    def slow_at_first(done: int, total: int) -> None:
        if done == 1:
            assert last_is_told.wait(30)
        told.append(done)

    made = PictureRequest(request(2).work, slow_at_first)
    first = threading.Thread(target=made.finish_one)
    first.start()
    while made._done == 0:
        time.sleep(0.001)
    made.finish_one()
    assert not made.over, "the first tile is not told yet"
    last_is_told.set()
    first.join()
    assert made.over
    assert sorted(told) == [1, 2]


def test_a_picture_that_nobody_watches_completes_too() -> None:
    made = request(1)
    made.finish_one()
    assert made.over


def test_a_cancelled_picture_tells_nothing_and_stays_cancelled() -> None:
    told: list[int] = []
    made = request(1)
    made.on_tile = lambda done, total: told.append(done)
    made.future.cancel()
    made.finish_one()
    made.fail(TimedOut("late"))
    assert made.future.cancelled()
    assert told == []


@pytest.mark.parametrize(("deadline", "late"), [(100.0, True), (100.001, False)])
def test_a_picture_is_late_at_its_deadline(monkeypatch: pytest.MonkeyPatch, deadline: float, late: bool) -> None:
    monkeypatch.setattr("upconv.runtime.schedule.time.monotonic", lambda: 100.0)
    schedule, made = Schedule(2, 10**9), request(1, deadline=deadline)
    schedule.add(made)
    assert [job for job, _ in schedule.take()] == ([] if late else [made])
    if late:
        expected = "the picture missed its deadline; allow more time, or try again when less is waiting"
        assert str(made.future.exception()) == expected


def test_turns_go_round_in_the_order_of_arrival() -> None:
    requests = [request(24) for _ in range(3)]
    for made in requests:
        made.waiting.popleft()  # started, so none of them is a newcomer
    assert order(*requests)[: 6 * TURN_TILES] == [number for number in (0, 1, 2, 0, 1, 2) for _ in range(TURN_TILES)]


def test_a_picture_whose_tile_exceeds_its_credit_lets_the_next_one_in_line_go() -> None:
    """Requests of low priority save credit over several rounds; the round goes on with the one behind them."""
    schedule = Schedule(9, 10**9)
    low, first, second = request(9, priority=Priority.BACKGROUND), request(90), request(90)
    for made in (low, first, second):
        made.waiting.popleft()  # started, so none of them is a newcomer
        schedule.add(made)
    taken = [schedule.take()[0][0] for _ in range(2 * TURN_TILES)]
    assert taken == [first] * TURN_TILES + [second] * TURN_TILES
