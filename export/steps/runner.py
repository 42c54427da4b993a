"""Runs the steps of an export one after the other, times them, and reports what each did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, ExportOptions

Step = Callable[[ExportDraft], tuple[ExportDraft, StageReport | None]]
"""Completes a draft, and says what it did; `None` if there is nothing that a user would want to read."""


@dataclass(frozen=True)
class Expansion:
    """A place in a list of steps that holds as many steps as the options ask for."""

    steps: Callable[[ExportOptions], Sequence[Step]]
    """Returns the steps for these options."""


def run(
    listed: Sequence[Step | Expansion], draft: ExportDraft, on_stage: Callable[[StageReport], None] = lambda _: None
) -> tuple[ExportDraft, tuple[StageReport, ...]]:
    """Return the draft that the listed steps complete, and their reports, calling `on_stage` with each.

    A report states the seconds since the one before it.
    """
    reports: list[StageReport] = []
    started = time.perf_counter()
    for step in _expanded(listed, draft.options):
        draft, report = step(draft)
        if report is not None:
            now = time.perf_counter()
            reports.append(replace(report, seconds=now - started))
            started = now
            on_stage(reports[-1])
    return draft, tuple(reports)


def _expanded(listed: Sequence[Step | Expansion], options: ExportOptions) -> Iterator[Step]:
    for entry in listed:
        if isinstance(entry, Expansion):
            yield from entry.steps(options)
        else:
            yield entry
