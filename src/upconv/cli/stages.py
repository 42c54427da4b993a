"""The progress of an export and of tuning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from upconv.export import StageReport
    from upconv.export.tuner import Tuner
    from upconv.runtime.contract import TuningTrial


@contextmanager
def measuring(budget_s: float | None, silent: bool) -> Iterator[Tuner | None]:
    """Yield a tuner and show its progress on a terminal. Yield `None` if `budget_s` is `None`."""
    from upconv.export.tuner import Tuner

    if budget_s is None:
        yield None
        return

    columns = (TextColumn("tuning: {task.description}", markup=False), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=silent) as progress:
        bar = progress.add_task("first comparison", total=budget_s)

        def tried(trial: TuningTrial) -> None:
            progress.update(bar, completed=tuner.spent_s, description=f"{trial.name} {trial}")

        tuner = Tuner(budget_s, tried)
        yield tuner


def show(stage: StageReport) -> None:
    """Print the report of one step of an export."""
    mark = "changed" if stage.changed else "       "
    print(f"{stage.name:<26}{stage.seconds:6.1f} s  {mark}  {stage.summary}", flush=True)
    if stage.equality:
        print(f"{'':43}{stage.equality}", flush=True)


def nothing(_: StageReport) -> None:
    """Ignore the report of a step."""
