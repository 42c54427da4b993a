from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from upconv.export.report import StageReport
from upconv.export.steps import Expansion, ExportDraft, ExportOptions, Step, run
from upconv.export.steps.draft import needed


def named(name: str, said: bool = True) -> Step:
    def step(draft: ExportDraft) -> tuple[ExportDraft, StageReport | None]:
        draft = replace(draft, rewrites=(*draft.rewrites, name))
        return draft, StageReport(name, False, "done") if said else None

    return step


def test_steps_complete_the_draft_in_the_order_in_which_they_are_listed(doubler: ExportDraft) -> None:
    seen: list[str] = []
    listed = (named("a"), named("b", said=False), named("c"))
    draft, reports = run(listed, doubler, lambda report: seen.append(report.name))
    assert draft.rewrites == ("a", "b", "c")
    assert [report.name for report in reports] == seen == ["a", "c"]


def test_an_expansion_holds_as_many_steps_as_the_options_ask_for(doubler: ExportDraft) -> None:
    def steps(options: ExportOptions) -> Sequence[Step]:
        return [named(str(n)) for n in range(options.opset)]

    draft, _ = run((named("a"), Expansion(steps), named("z")), replace(doubler, options=ExportOptions(opset=2)))
    assert draft.rewrites == ("a", "0", "1", "z")


def test_a_silent_step_takes_its_time_in_the_next_report(doubler: ExportDraft) -> None:
    def slow(draft: ExportDraft) -> tuple[ExportDraft, None]:
        time.sleep(0.05)
        return draft, None

    _, reports = run((named("a"), slow, named("b")), doubler)
    assert reports[1].seconds >= 0.05 > reports[0].seconds


def test_a_value_that_no_step_has_added_is_an_error() -> None:
    assert needed(0) == 0
    with pytest.raises(RuntimeError, match="no step before it has added"):
        needed(None)
