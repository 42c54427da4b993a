from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from upconv.export.precision import PrecisionOptions
from upconv.export.rewrite import RULES, every_conv_transpose_to_phases
from upconv.export.steps import REWRITES, ExportDraft, ExportOptions
from upconv.export.steps.rewrite_step import ApplyRewrite
from upconv.export.tuner import Tuner

PHASES = next(rule for rule in RULES if rule.name == "nearest_conv_to_phases")


def listed(options: ExportOptions) -> list[object]:
    steps = REWRITES.steps(options)
    assert all(isinstance(step, ApplyRewrite) for step in steps)
    return [step.stage for step in steps if isinstance(step, ApplyRewrite)]


def test_there_is_a_step_for_each_rewrite() -> None:
    assert listed(ExportOptions()) == [*RULES]
    assert listed(ExportOptions(rewrites=())) == []


@pytest.mark.parametrize("options", [ExportOptions(reduction=PrecisionOptions("int8")), ExportOptions(tuner=Tuner())])
def test_transposed_convolutions_are_rewritten_too_when_that_may_gain(options: ExportOptions) -> None:
    assert listed(options) == [*RULES, every_conv_transpose_to_phases]
    assert listed(replace(options, rewrites=())) == []


def test_a_rewrite_that_is_kept_is_noted_once(doubler: ExportDraft) -> None:
    draft, report = ApplyRewrite(PHASES)(replace(doubler, rewrites=("earlier", PHASES.name)))
    assert draft.rewrites == ("earlier", PHASES.name)
    assert draft.model is not doubler.model
    assert draft.plain is doubler.plain
    assert report is not None
    assert (report.name, report.changed) == (PHASES.name, True)


def test_a_rewrite_that_is_not_faster_is_not_noted(doubler: ExportDraft, decided: Callable[..., Tuner]) -> None:
    tile = (np.zeros((1, 3, 8, 8), np.float32),)
    draft, report = ApplyRewrite(PHASES)(replace(doubler, options=ExportOptions(tuner=decided()), tile=tile))
    assert draft.rewrites == ()
    assert draft.model is doubler.model
    assert report is not None
    assert report.summary.startswith("not faster here")
