from __future__ import annotations

from dataclasses import replace

import onnx
import pytest

from upconv.export.steps import ExportDraft, write_contract
from upconv.export.steps.contract import contract_of
from upconv.runtime.contract import Contract


def test_the_model_states_its_contract(upscaler: ExportDraft) -> None:
    draft, report = write_contract(upscaler)
    assert report is None
    assert draft.model is not None
    metadata = {entry.key: entry.value for entry in draft.model.metadata_props}
    assert Contract.from_metadata(metadata, "m") == draft.contract == contract_of(upscaler)


def test_a_model_that_onnx_does_not_accept_is_not_finished(upscaler: ExportDraft) -> None:
    assert upscaler.model is not None
    broken = onnx.ModelProto()
    broken.CopyFrom(upscaler.model)
    broken.graph.node[0].input[0] = "nowhere"
    with pytest.raises(onnx.checker.ValidationError):
        write_contract(replace(upscaler, model=broken))
