"""The last step, which writes the contract into the model."""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.halo.trial import described
from upconv.export.steps.contract import contract_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.storage import opened


def write_contract(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the contract to the draft and to the model's metadata, and check the model with onnx."""
    contract = contract_of(draft)
    model = described(needed(draft.model), contract)
    with opened(model) as graph:
        onnx.checker.check_model(graph, full_check=True)
    return replace(draft, model=model, contract=contract), None
