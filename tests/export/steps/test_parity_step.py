from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from upconv.export.steps import ExportDraft, prove_parity
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
