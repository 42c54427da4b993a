from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upconv.service.jobs.turns import Turns


def started(turns: Turns, queued: dict[str, int]) -> list[tuple[str, int]]:
    """Return owner and position of all queued jobs in the order in which they start."""
    left, order = dict(queued), list[tuple[str, int]]()
    while owner := turns.next(name for name, count in left.items() if count):
        turns.took(owner)
        order.append((owner, queued[owner] - left[owner]))
        left[owner] -= 1
    return order


def test_owners_take_turns() -> None:
    names = [owner for owner, _ in started(Turns(), {"ann": 4, "bob": 1, "cid": 2})]
    assert names == ["ann", "bob", "cid", "ann", "cid", "ann", "ann"]
    assert Turns().next([]) is None


def test_who_had_a_turn_waits_for_a_newcomer() -> None:
    turns = Turns()
    turns.took("ann")
    assert turns.next(["ann", "bob"]) == "bob"


@given(st.dictionaries(st.sampled_from("abcde"), st.integers(1, 5), min_size=1), st.lists(st.sampled_from("abcde"), max_size=6))
def test_the_jobs_ahead_are_those_that_start_before(queued: dict[str, int], before: list[str]) -> None:
    turns, same = Turns(), Turns()
    for owner in before:
        turns.took(owner)
        same.took(owner)
    for place, (owner, position) in enumerate(started(same, queued)):
        assert turns.ahead(owner, position, queued) == place
