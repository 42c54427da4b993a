from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch import nn

from upconv.export.capture.tracing import capture
from upconv.export.lint import lint, phase_imbalance
from upconv.export.sizes import InputAxis


def graph(module: nn.Module) -> onnx.ModelProto:
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(module, "m", [np.zeros((1, 3, 8, 9), np.float32)], free)


def found(model: onnx.ModelProto) -> dict[str, str]:
    return {finding.rule: finding.message for finding in lint(model)}


def changed(model: onnx.ModelProto, value: float) -> onnx.ModelProto:
    """Return the model with another value as the first weight of the first initialiser."""
    tensor = model.graph.initializer[0]
    weights = numpy_helper.to_array(tensor).copy()
    weights.flat[0] = value
    tensor.CopyFrom(numpy_helper.from_array(weights, tensor.name))
    return model


def test_a_clean_decoder_has_no_findings() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1))
    assert found(graph(layers)) == {}


def test_uneven_overlap_is_named_with_what_the_kernel_makes_of_it() -> None:
    layer = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1, output_padding=1)
    nn.init.constant_(layer.weight, 0.1)
    message = found(graph(layer))["uneven-overlap"]
    assert "kernel of 3x3 is not a multiple of its stride of 2x2" in message
    assert "this shows as a checkerboard" in message
    assert "4x4" in message
    with torch.no_grad():  # one tap for each phase: nothing overlaps
        layer.weight.zero_()
        layer.weight[:, :, 1:, 1:] = 0.1
    assert "hardly shows" in found(graph(layer))["uneven-overlap"]


@pytest.mark.parametrize(("size", "stride", "expected"), [(4, 2, 0.0), (3, 2, (4 - 1) / (9 / 4)), (6, 3, 0.0), (2, 1, 0.0)])
def test_the_imbalance_of_a_kernel_of_ones(size: int, stride: int, expected: float) -> None:
    kernel = np.ones((2, 5, size, size), np.float32)
    assert phase_imbalance(kernel, (stride, stride)) == pytest.approx(expected)
    assert phase_imbalance(kernel, (stride, stride), signed=True) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("attributes", "word"),
    [
        ({"coordinate_transformation_mode": "pytorch_half_pixel", "mode": "linear"}, "pytorch_half_pixel"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}, "tf_crop_and_resize"),
        ({"mode": "nearest", "nearest_mode": "ceil"}, "ceil"),
        ({"mode": "nearest"}, "round_prefer_floor"),
        ({"mode": "linear", "antialias": 1}, "antialias"),
        ({"mode": "cubic", "exclude_outside": 1}, "exclude_outside"),
    ],
)
def test_resizes_that_runtimes_read_differently(attributes: dict[str, Any], word: str) -> None:
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], **attributes)
    model = helper.make_model(helper.make_graph([node], "g", [], []))
    assert word in found(model)["ambiguous-resize"]


def test_a_frozen_size_is_named() -> None:
    model = capture(nn.Conv2d(3, 3, 3), "m", [np.zeros((1, 3, 8, 9), np.float32)], [])
    assert "axis 2 is 8, axis 3 is 9" in found(model)["frozen-size"]


@pytest.mark.parametrize(("slope", "cure"), [(0.25, "Max"), (-0.5, "LeakyRelu")])
def test_an_activation_that_is_not_fused(slope: float, cure: str) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.PReLU(4, init=slope))
    assert cure in found(graph(layers))["unfused-activation"]


def test_weights_that_other_precisions_cannot_hold() -> None:
    torch.manual_seed(0)
    huge = found(changed(graph(nn.Conv2d(3, 4, 3)), 1e5))
    assert "1e+05" in huge["fp16-range"]
    assert "per channel" in huge["int8-range"]
    tiny = nn.Conv2d(3, 4, 3)
    nn.init.constant_(tiny.weight, 1e-6)
    assert "loses digits" in found(graph(tiny))["fp16-range"]


def test_an_initialiser_that_nothing_reads() -> None:
    model = graph(nn.Conv2d(3, 4, 3))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1000, np.float32), "left"))
    finding = lint(model)[-1]
    assert (finding.rule, finding.node) == ("unused-initialiser", "left")
    assert "4,000 bytes" in finding.message
