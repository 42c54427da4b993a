"""Fair turns between the keys that have jobs in the queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class Turns:
    """Gives each owner of queued jobs a turn after the other, so that many jobs of one never hold up those of another."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        """The number of the last turn of each owner."""

    def next(self, owners: Iterable[str]) -> str | None:
        """Return the owner whose last turn is the longest ago, or `None` without owners. The first one wins a tie."""
        return min(owners, key=self._turn, default=None)

    def took(self, owner: str) -> None:
        """Note that a job of `owner` was started."""
        self._last[owner] = max(self._last.values(), default=0) + 1

    def ahead(self, own: str, position: int, queued: Mapping[str, int]) -> int:
        """Return the number of queued jobs that start before the one at `position` (from 0) of its owner.

        `queued` is the number of queued jobs of each owner, in the order in which `next` gets them.
        """
        names = list(queued)
        mine = (self._turn(own), names.index(own) if own in queued else len(names))
        others = (
            (count, (self._turn(name), index) < mine) for index, (name, count) in enumerate(queued.items()) if name != own
        )
        return position + sum(min(count, position + earlier) for count, earlier in others)

    def _turn(self, owner: str) -> int:
        return self._last.get(owner, 0)
