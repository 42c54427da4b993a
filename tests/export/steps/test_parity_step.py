from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import onnx
import pytest
from torch import Tensor, nn

from upconv.export.steps import ExportDraft, prove_parity
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError


def test_every_level_that_is_served_is_compared(doubler: ExportDraft) -> None:
    draft, report = prove_parity(doubler)
    assert [verdict.level for verdict in draft.verdicts] == ["disabled", "all"]
    assert all(verdict.equal for verdict in draft.verdicts)
    assert (report.name, report.summary) == ("parity", "onnxruntime, optimisations disabled and all")
    assert report.equality == str(draft.verdicts[-1])


def test_another_function_ends_the_export(doubler: ExportDraft, spoiled: onnx.ModelProto) -> None:
    with pytest.raises(ExportError, match="at level disabled computes another function"):
        prove_parity(replace(doubler, model=spoiled))


class MeanOfAll(nn.Module):
    """A function that subtracts the mean of all values, which onnxruntime adds one after another."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean((1, 2, 3), keepdim=True)


def test_the_operator_of_a_less_careful_sum_is_named(captured: Callable[..., ExportDraft]) -> None:
    draft, report = prove_parity(captured(MeanOfAll(), SizeLaw(scale=1, minimum=4), (1, 3, 128, 128)))
    (finding,) = draft.findings
    assert finding.rule == "less-accurate"
    assert finding.node.startswith("ReduceMean ")
    assert "which cannot be seen" in finding.message
    assert "less accurate" in report.equality
