from __future__ import annotations

import anyio
import pytest

from upconv.service import heap


def test_gives_back_after_work(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    counts = iter([0, 1, 1, 2, 2, 2])
    monkeypatch.setattr(heap, "_EVERY_S", 0.001)
    monkeypatch.setattr(heap, "_of_glibc", lambda name: lambda pad: calls.append(pad))

    async def run() -> None:
        with anyio.move_on_after(5) as scope:

            def count() -> float:
                value = next(counts, None)
                if value is None:
                    scope.cancel()
                return value or 2

            await heap.give_back(count)

    anyio.run(run)
    assert calls == [0, 0], "twice there was work"


def test_elsewhere_than_on_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heap._of_glibc("no_such_function") is None
    monkeypatch.setattr(heap, "_of_glibc", lambda name: None)
    heap.few_arenas()
    anyio.run(heap.give_back, lambda: 0)
