from __future__ import annotations

import anyio
import pytest

from upconv.runtime import memory
from upconv.service import heap


def test_gives_back_after_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []
    turns: list[None] = []
    counts = iter([0, 1, 1, 2, 2, 2])
    monkeypatch.setattr(heap, "_INTERVAL_S", 0.001)
    monkeypatch.setattr(memory, "release_free_memory", lambda: calls.append(None))

    async def run() -> None:
        with anyio.move_on_after(5) as scope:

            def count() -> float:
                value = next(counts, None)
                if value is None:
                    scope.cancel()
                return value or 2

            await heap.release_when_idle(count, lambda: turns.append(None))

    anyio.run(run)
    assert len(calls) == 2, "twice there was work"
    assert len(turns) >= 4, "each turn without an error counts as successful"
