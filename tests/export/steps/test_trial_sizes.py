from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from upconv.export.sizes import InputAxis
from upconv.export.sources import Source, from_module
from upconv.export.steps import ExportDraft
from upconv.export.steps.trial_sizes import AFFORDABLE_S, TrialSizes
from upconv.runtime.contract import SizeLaw

SIZES = [((1, 3, 8, 9),), ((2, 3, 20, 31),)]


class Decided(TrialSizes):
    """Trials that may compute nothing in float64."""

    def _equal(self, shapes: tuple[tuple[int, ...], ...]) -> bool:
        raise AssertionError(f"{shapes} is not decided in float32")


@pytest.mark.parametrize("shapes", SIZES)
def test_an_exact_graph_agrees_by_float32_alone(shapes: tuple[tuple[int, ...], ...], doubler: ExportDraft) -> None:
    assert doubler.model is not None
    trial = Decided(doubler.source, doubler.model)
    assert trial.agrees(shapes)
    assert trial.difference() is None


def scaled(draft: ExportDraft, factor: float) -> onnx.ModelProto:
    """Return the graph of a draft with its largest weight scaled."""
    model = onnx.ModelProto()
    assert draft.model is not None
    model.CopyFrom(draft.model)
    tensor = max(model.graph.initializer, key=lambda tensor: int(np.prod(tensor.dims)))
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(factor), tensor.name))
    return model


@pytest.mark.parametrize("factor", [1.5, 1 + 1e-5], ids=["certain", "left to float64"])
def test_another_function_does_not_agree(factor: float, doubler: ExportDraft) -> None:
    trial = TrialSizes(doubler.source, scaled(doubler, factor))
    assert not any(trial.agrees(shapes) for shapes in SIZES)
    said = "for an input of (1, 3, 8, 9) the output is off by " if factor == 1.5 else "None"
    assert str(trial.difference()).startswith(said)


def test_a_graph_that_does_not_run_differs(doubler: ExportDraft) -> None:
    assert doubler.model is not None
    model = onnx.ModelProto()
    model.CopyFrom(doubler.model)
    (output,) = model.graph.output
    model.graph.node.append(helper.make_node("Concat", [output.name, "image"], ["joined"], axis=1))
    output.name = "joined"
    trial = TrialSizes(doubler.source, model)
    assert "Concat at  refuses what it gets" in str(trial.difference())
    assert not trial.agrees(SIZES[0])


def test_a_size_that_takes_too_long_is_not_promised(doubler: ExportDraft) -> None:
    assert doubler.model is not None
    trial = TrialSizes(doubler.source, doubler.model)
    trial.__dict__["_seconds"] = AFFORDABLE_S
    assert trial.agrees(SIZES[0])
    assert not trial.agrees(SIZES[1])


def test_a_size_that_the_graph_refuses_agrees() -> None:
    source: Source = from_module(nn.ReLU(), name="m", shape=(1, 3, 8, 8))
    model = source.original.capture("m", source.example, [InputAxis(2, SizeLaw(scale=1), free=True)], 18)
    assert TrialSizes(source, model).agrees(((1, 3, 8, 9),))
    assert TrialSizes(replace(source, example=(np.zeros((1, 3, 8, 9), np.float32),)), model).difference() is None


def test_almost_constant_outputs_are_no_certain_difference() -> None:
    class Flat(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(x * 1e-6)

    source = from_module(Flat(), name="m", shape=(1, 3, 8, 8))
    model = source.original.capture("m", source.example, [], 18)
    assert TrialSizes(source, model).difference() is None
