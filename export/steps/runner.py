"""The runner that executes the steps of an export in order and times them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from upconv.export.report import StageReport
from upconv.export.steps.draft import ExportDraft, ExportOptions

Step = Callable[[ExportDraft], tuple[ExportDraft, StageReport | None]]
"""A function that returns a more complete draft and a report, or `None` if there is nothing to report."""


@dataclass(frozen=True)
class Expansion:
    """An entry in a list of steps that stands for several steps, which depend on the options."""

    steps: Callable[[ExportOptions], Sequence[Step]]
    """A function that returns the steps for the options."""


def run(
    listed: Sequence[Step | Expansion], draft: ExportDraft, on_stage: Callable[[StageReport], None] = lambda _: None
) -> tuple[ExportDraft, tuple[StageReport, ...]]:
    """Run the listed steps, and return the final draft and the reports.

    `on_stage` is called with each report. A report states the seconds since the previous report.
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
