from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from upconv.export.steps import ExportDraft, inspect_graph


def test_findings_are_those_of_the_plain_graph_and_fusion_that_of_the_model(
    doubler: ExportDraft, captured: Callable[..., ExportDraft]
) -> None:
    uneven = captured(nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1))
    draft, report = inspect_graph(replace(doubler, plain=uneven.plain))
    assert [finding.rule for finding in draft.findings] == ["random-weights", "uneven-overlap"]
    assert draft.fusion is not None
    assert draft.fusion.convolutions == 2
    assert report.name == "lint"
    assert report.summary == f"onnxruntime runs it as {draft.fusion}; 2 findings"
