"""The runner of an export's steps. It times them and collects their reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, ExportOptions

Step = Callable[[ExportDraft], tuple[ExportDraft, StageReport | None]]
"""Returns the completed draft and a report, or `None` as the report if users need not see the step."""


@dataclass(frozen=True)
class Expansion:
    """A place in a list of steps that expands to as many steps as the options require."""

    steps: Callable[[ExportOptions], Sequence[Step]]
    """Returns the steps for these options."""


def run(
    listed: Sequence[Step | Expansion], draft: ExportDraft, on_stage: Callable[[StageReport], None] = lambda _: None
) -> tuple[ExportDraft, tuple[StageReport, ...]]:
    """Return the draft that the listed steps complete, and their reports. `on_stage` is called with each report.

    A report states the seconds since the previous one.
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
