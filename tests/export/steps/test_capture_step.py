from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from upconv.export import to_onnx
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.export.sources.module import TorchModule
from upconv.export.steps import ExportDraft, capture_graph
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

FREE = tuple(InputAxis(index, SizeLaw(scale=2), free=True) for index in (2, 3))


@dataclass(frozen=True)
class Wrong(TorchModule):
    """A source model that returns a given graph."""

    graph: onnx.ModelProto

    def capture(self, *_: object) -> onnx.ModelProto:
        return self.graph


def test_the_graph_comes_with_answers_and_provenance() -> None:
    source = from_module(nn.ConvTranspose2d(3, 3, 2, stride=2), name="m", shape=(1, 3, 8, 9), licence="MIT")
    draft, report = capture_graph(ExportDraft(source, axes=FREE))
    assert draft.model is draft.plain is not None
    assert draft.axes == FREE
    assert draft.reference is not None and len(draft.reference.inputs) >= 4
    assert draft.provenance is not None
    assert (draft.provenance.licence, draft.provenance.source) == ("MIT", "a torch module")
    assert draft.provenance.weights_sha256 == source.original.weights_sha256()
    assert (report.name, report.changed, report.summary) == ("capture", True, "1 nodes, opset 18")
    assert report.equality.startswith("error ")


def test_a_graph_that_is_another_function_ends_the_export(doubler: ExportDraft, spoiled: onnx.ModelProto) -> None:
    original = doubler.source.original
    assert isinstance(original, TorchModule)
    source = replace(doubler.source, original=Wrong(original.module, spoiled))
    with pytest.raises(ExportError, match="the graph that torch made of m is not the same function"):
        capture_graph(ExportDraft(source, axes=FREE))


def test_axes_that_are_lengths_in_the_graph_are_free_no_more() -> None:
    source = from_module(nn.ConvTranspose2d(3, 3, 2, stride=2), name="m", shape=(1, 3, 8, 9))
    fixed = source.original.capture("m", source.example, (), 18)
    assert isinstance(source.original, TorchModule)
    pinned = replace(source, original=Wrong(source.original.module, fixed))
    draft, report = capture_graph(ExportDraft(pinned, axes=FREE))
    assert draft.axes == tuple(InputAxis(index, None, free=False) for index in (2, 3))
    assert report.summary.endswith("torch pinned axis 2 to 8, axis 3 to 9: it could not trace the module for other sizes")


class CountsItems(nn.Module):
    """An upscaler that reads the batch by `len`, which is a constant for torch unless it traces bytecode."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.nn.functional.interpolate(x, scale_factor=2) * len(x)


class SplitsItems(nn.Module):
    """An upscaler that works on one item after the other, so that the graph of two items takes two."""

    def forward(self, x: Tensor) -> Tensor:
        items = [torch.nn.functional.interpolate(item[None], scale_factor=2) for item in x.unbind(0)]
        return torch.cat(items)


@pytest.mark.parametrize(("module", "batches"), [(CountsItems(), (1, 2, 5)), (SplitsItems(), (1,))], ids=["len", "unbind"])
def test_the_batch_of_the_example_is_taken(module: nn.Module, batches: tuple[int, ...]) -> None:
    artifact = to_onnx(module, torch.rand(1, 3, 16, 16))
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in batches:
        x = torch.rand(batch, 3, 20, 18)
        np.testing.assert_allclose(session.run(None, {"image": x.numpy()})[0], module(x).numpy(), atol=1e-6)
