from __future__ import annotations

import subprocess
import sys

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


def test_what_exists_at_the_start_is_not_collected() -> None:
    program = (
        "import gc; from upconv.service import heap; gc.collect(); before = len(gc.get_objects());"
        "heap.keep_out_of_collections(); print(len(gc.get_objects()) < before / 10, gc.get_freeze_count() > before / 2)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"]
