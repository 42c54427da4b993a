from __future__ import annotations

from dataclasses import replace

import onnx
import pytest
from onnx import helper

from upconv.export import simplify
from upconv.export.steps import ExportDraft, simplify_graph


def test_what_computes_nothing_goes_and_the_plain_graph_is_the_result(doubler: ExportDraft) -> None:
    assert doubler.model is not None
    padded = onnx.ModelProto()
    padded.CopyFrom(doubler.model)
    last = padded.graph.node[-1]
    last.output[0] = "before"
    padded.graph.node.append(helper.make_node("Identity", ["before"], ["output"]))
    draft, report = simplify_graph(replace(doubler, model=padded, plain=padded))
    assert draft.model is not None
    assert draft.plain is draft.model
    assert "Identity" not in [node.op_type for node in draft.model.graph.node]
    assert report is not None
    assert (report.name, report.changed) == ("simplify", True)


def test_a_simplifier_that_fails_leaves_the_draft(doubler: ExportDraft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simplify, "TIMEOUT_S", 0)
    draft, report = simplify_graph(doubler)
    assert draft.model is doubler.model
    assert report is not None
    assert report.summary.startswith("declined: onnxsim took longer than 0 s")
