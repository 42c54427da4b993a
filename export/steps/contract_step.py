"""The last step: the contract, written into the model."""

from __future__ import annotations

from dataclasses import replace

import onnx

from upconv.export.halo.trial import described
from upconv.export.steps.contract import contract_of
from upconv.export.steps.draft import ExportDraft, needed
from upconv.export.storage import opened


def write_contract(draft: ExportDraft) -> tuple[ExportDraft, None]:
    """Add the contract, also to the model's metadata, and let onnx check the finished model."""
    contract = contract_of(draft)
    model = described(needed(draft.model), contract)
    with opened(model) as graph:
        onnx.checker.check_model(graph, full_check=True)
    return replace(draft, model=model, contract=contract), None
