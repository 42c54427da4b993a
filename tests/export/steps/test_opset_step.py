from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.graphs import opset_of
from upconv.export.steps import ExportDraft, ExportOptions, raise_opset


def test_an_older_graph_is_converted(doubler: ExportDraft) -> None:
    draft, report = raise_opset(replace(doubler, options=ExportOptions(opset=20)))
    assert draft.model is not None
    assert draft.plain is draft.model
    assert opset_of(draft.model) == 20
    assert report is not None
    assert (report.name, report.changed, report.summary) == ("opset", True, "18 to 20")
    assert report.equality


def test_a_graph_of_that_opset_stays(doubler: ExportDraft) -> None:
    draft, report = raise_opset(doubler)
    assert draft.model is doubler.model
    assert report is not None
    assert (report.changed, report.summary) == (False, "18, not changed")


def test_a_conversion_that_changes_the_function_is_rolled_back(doubler: ExportDraft, spoiled: onnx.ModelProto) -> None:
    draft, report = raise_opset(replace(doubler, model=spoiled, options=ExportOptions(opset=20)))
    assert draft.model is spoiled
    assert report is not None
    assert report.summary.startswith("rolled back: error ")
