from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest

from upconv.export.stage import NOTHING, StageResult
from upconv.export.steps import ExportDraft, ExportOptions
from upconv.export.steps.verified import verified
from upconv.export.tuner import Tuner

TILE = (np.zeros((1, 3, 8, 8), np.float32),)


@dataclass
class Becomes:
    """A stage that returns another graph."""

    model: onnx.ModelProto
    changed: bool = True
    summary: str = "done"
    name: str = "becomes"

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        return StageResult(self.model, self.changed, self.summary)


def graph_of(draft: ExportDraft) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    assert draft.model is not None
    copy.CopyFrom(draft.model)
    return copy


@pytest.fixture
def frozen(doubler: ExportDraft) -> onnx.ModelProto:
    model = graph_of(doubler)
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        if dim.dim_param:
            dim.dim_value = 32
    return model


def test_an_equal_graph_is_kept(doubler: ExportDraft) -> None:
    equal = graph_of(doubler)
    draft, report = verified(Becomes(equal), doubler)
    assert draft.model is equal
    assert report is not None
    assert (report.name, report.changed, report.summary) == ("becomes", True, "done")
    assert report.equality.startswith("error ")


@pytest.mark.parametrize("kind", ["spoiled", "frozen"])
def test_a_graph_that_is_not_equal_is_rolled_back(doubler: ExportDraft, kind: str, request: pytest.FixtureRequest) -> None:
    draft, report = verified(Becomes(request.getfixturevalue(kind)), doubler)
    assert draft == doubler
    assert report is not None
    assert not report.changed
    assert report.summary.startswith("rolled back: ")


def test_a_stage_that_declines_says_why_and_one_without_an_opinion_is_left_out(
    doubler: ExportDraft, spoiled: onnx.ModelProto
) -> None:
    draft, report = verified(Becomes(spoiled, changed=False, summary="declined: no"), doubler)
    assert draft == doubler
    assert report is not None
    assert report.summary == "declined: no"
    assert verified(Becomes(spoiled, changed=False, summary=NOTHING), doubler) == (doubler, None)


@pytest.mark.parametrize("kept", [True, False])
def test_a_tuner_decides_among_equal_graphs(doubler: ExportDraft, decided: Callable[..., Tuner], kept: bool) -> None:
    tuner = decided("becomes") if kept else decided()
    before = replace(doubler, options=ExportOptions(tuner=tuner), tile=TILE)
    equal = graph_of(doubler)
    draft, report = verified(Becomes(equal), before, only_if_faster=True)
    assert (draft.model is equal) is kept
    assert [(trial.name, trial.kept) for trial in draft.trials] == [("becomes", kept)]
    assert report is not None
    assert report.summary == ("done, x2.00 (2.00 to 2.00)" if kept else "not faster here: x2.00 (2.00 to 2.00)")


def test_a_tuner_is_not_asked_about_what_does_not_depend_on_speed(doubler: ExportDraft, decided: Callable[..., Tuner]) -> None:
    equal = graph_of(doubler)
    draft, _ = verified(Becomes(equal), replace(doubler, options=ExportOptions(tuner=decided()), tile=TILE))
    assert draft.model is equal
    assert draft.trials == ()
