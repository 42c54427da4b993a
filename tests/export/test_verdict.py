from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.export.verdict import Verdict, judge
from upconv.runtime.errors import ExportError


@pytest.fixture(scope="module")
def layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1))


@pytest.fixture(scope="module")
def graph(layers: nn.Module) -> onnx.ModelProto:
    return captured(layers)


def captured(module: nn.Module) -> onnx.ModelProto:
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(module, "layers", [np.zeros((1, 3, 8, 8), np.float32)], free)


def copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def compared(module: nn.Module, model: onnx.ModelProto, level: str = "all") -> Verdict:
    inputs = [[np.random.default_rng(n).random((1, 3, 9 + n, 7), np.float32)] for n in range(4)]
    exact, rounded = (TorchBackend(module, kind) for kind in (torch.float64, torch.float32))
    backend = OnnxruntimeBackend(model, level)
    return judge([exact.run(x) for x in inputs], [rounded.run(x) for x in inputs], backend, inputs)


@pytest.mark.parametrize("level", ["disabled", "basic", "extended", "all"])
def test_the_same_function_passes_at_every_optimisation_level(level: str, layers: nn.Module, graph: onnx.ModelProto) -> None:
    verdict = compared(layers, graph, level)
    assert verdict.equal
    assert 0 < verdict.noise_floor < 1e-6


def test_a_weight_that_is_slightly_off_fails(layers: nn.Module, graph: onnx.ModelProto) -> None:
    model = copied(graph)
    weight = model.graph.initializer[0]
    changed = numpy_helper.to_array(weight).copy()
    changed.flat[0] += 1e-3
    weight.CopyFrom(numpy_helper.from_array(changed, weight.name))
    verdict = compared(layers, model)
    assert not verdict.equal
    assert "> 4 x noise floor" in str(verdict)


def test_an_output_of_another_shape_fails_and_says_so(layers: nn.Module, graph: onnx.ModelProto) -> None:
    verdict = compared(nn.Sequential(layers, nn.Upsample(scale_factor=2)), graph)
    assert not verdict.equal
    assert "shape (1, 3, 18, 14), expected (1, 3, 36, 28)" in str(verdict)


def test_output_that_is_no_number_fails(layers: nn.Module, graph: onnx.ModelProto) -> None:
    model = copied(graph)
    bias = next(t for t in model.graph.initializer if len(t.dims) == 1)
    bias.CopyFrom(numpy_helper.from_array(np.full(tuple(bias.dims), np.nan, np.float32), bias.name))
    assert "no numbers" in str(compared(layers, model))


def test_copying_has_a_noise_floor_of_one_unit_in_the_last_place() -> None:
    module = nn.Upsample(scale_factor=2)
    verdict = compared(module, captured(module))
    assert verdict.max_abs == 0
    assert verdict.noise_floor == pytest.approx(2**-24, rel=1)


def test_a_graph_that_cannot_be_opened_is_an_error_in_one_sentence() -> None:
    with pytest.raises(ExportError, match="cannot open the graph"):
        OnnxruntimeBackend(onnx.ModelProto())
