from __future__ import annotations

from typing import Any

import anyio
import pytest

from upconv.runtime.errors import Overloaded
from upconv.service import supervisor
from upconv.service.supervisor import Failing, Supervisor


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", fields))

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", fields))


class FullLog(Log):
    def error(self, event: str, **fields: Any) -> None:
        raise OSError("No space left on device")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "FIRST_PAUSE_S", 0.001)


@pytest.mark.parametrize("log", [Log(), FullLog()])
def test_a_task_starts_again_until_it_returns(log: Log) -> None:
    counted: list[str] = []
    supervised, attempts = Supervisor(log, counted.append), list[Failing | None]()

    async def task() -> None:
        attempts.append(supervised.failing.get("a"))
        if len(attempts) < 4:
            raise ValueError("no\nmore") if len(attempts) < 3 else Overloaded("full")

    anyio.run(supervised.run, "a", task)
    assert [(each.error, each.failures) if each else None for each in attempts] == [None, ("no", 1), ("no", 2), ("full", 3)]
    assert (supervised.failing, counted) == ({}, ["a", "a", "a"])
    if not isinstance(log, FullLog):
        assert [(level, fields["task"], "exc_info" in fields) for level, fields in log.lines] == [
            ("error", "a", True),
            ("error", "a", True),
            ("error", "a", False),
            ("info", "a", False),
        ]


def test_a_turn_that_succeeds_ends_the_growth_of_pauses() -> None:
    supervised, seen = Supervisor(Log(), lambda _: None), list[int]()

    async def task() -> None:
        if len(seen) == 2:
            supervised.succeeded("a")
        seen.append(supervised.failing["a"].failures if "a" in supervised.failing else 0)
        if len(seen) < 5:
            raise ValueError

    anyio.run(supervised.run, "a", task)
    assert seen == [0, 1, 0, 1, 2]


def test_other_tasks_go_on() -> None:
    supervised, turns = Supervisor(Log(), lambda _: None), list[None]()

    async def broken() -> None:
        raise OSError

    async def sound() -> None:
        while len(turns) < 20:
            turns.append(None)
            await anyio.sleep(0.001)

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervised.run, "broken", broken)
            await supervised.run("sound", sound)
            assert set(supervised.failing) == {"broken"}
            tasks.cancel_scope.cancel()

    anyio.run(both)


def test_pauses_double_up_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert [Failing("", failures, 0.0).pause_s for failures in (1, 2, 3, 6, 7, 10_000)] == [1.0, 2.0, 4.0, 32.0, 60.0, 60.0]
