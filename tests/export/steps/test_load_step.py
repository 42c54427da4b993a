from __future__ import annotations

from upconv.export.sizes import axes_of
from upconv.export.sources import from_onnx
from upconv.export.sources.onnx_file import stated_contract
from upconv.export.steps import ExportDraft, load_graph
from upconv.models import bundled


def test_the_graph_of_a_file_is_its_own_reference() -> None:
    path = bundled("nearest-x2")
    source = from_onnx(path)
    draft, report = load_graph(ExportDraft(source, axes=axes_of(stated_contract(path))))
    assert report is None
    assert draft.model is not None
    assert draft.plain is draft.model
    assert draft.reference is not None
    assert draft.reference.judge(draft.model).equal
