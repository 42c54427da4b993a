"""Our operators against the test cases that onnx itself is tested with."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tests.export.onnx_cases import onnx_cases
from torch import Tensor, nn
from torch.nn import functional as F

from upconv.export.backends.exact import OPERATORS, in_double
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.backends.torch_module import TorchBackend
from upconv.export.capture.tracing import capture
from upconv.runtime.errors import ExportError


class Interpolate(nn.Module):
    """`F.interpolate` as a layer."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments

    def forward(self, image: Tensor) -> Tensor:
        resized: Tensor = F.interpolate(image, **self.arguments)
        return resized


CASES = {
    "AveragePool": 1,
    "Conv": 1,
    "ConvTranspose": 10,
    "DequantizeLinear": 1,
    "MaxPool": 1,
    "Resize": 39,
}  # and how many there are at least


@pytest.mark.parametrize("operator", CASES)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_standards_own_cases(operator: str, precision: str) -> None:
    cases = onnx_cases(operator)
    assert len(cases) >= CASES[operator]
    for case in cases:
        for inputs, expected in case.data_sets:
            arrays = [numpy_helper.to_array(x) if isinstance(x, TensorProto) else x for x in inputs]
            got = ReferenceBackend(case.model, precision).run(arrays)  # type: ignore[arg-type]
            for wanted, output in zip(expected, got, strict=True):
                assert output.shape == wanted.shape, case.name
                np.testing.assert_allclose(output, wanted, rtol=case.rtol, atol=1e-6, err_msg=case.name)


INTERPOLATION = [
    {"scale_factor": 2.0, "mode": "nearest"},
    {"scale_factor": 2.0, "mode": "bilinear"},
    {"scale_factor": 3.0, "mode": "bicubic"},
    {"scale_factor": 2.0, "mode": "bilinear", "align_corners": True},
    {"size": (5, 4), "mode": "bilinear", "antialias": True},
    {"size": (17, 9), "mode": "bicubic"},
]


@pytest.mark.parametrize("arguments", INTERPOLATION, ids=str)
def test_a_graph_in_float64_is_the_torch_module_in_float64(arguments: dict[str, Any]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.LeakyReLU(0.25),
        nn.ConvTranspose2d(6, 4, 3, stride=2, output_padding=1, padding=1, groups=2), Interpolate(arguments),
    )  # fmt: skip
    model = capture(module, "m", [np.zeros((1, 3, 20, 24), np.float32)], [])
    inputs = [np.random.default_rng(0).random((2, 3, 20, 24), np.float32)]
    exact = TorchBackend(module, torch.float64).run(inputs)[0]
    got = ReferenceBackend(model).run(inputs)[0]
    assert got.dtype == np.float64
    assert np.abs(got - exact).max() < 1e-14
    rounded = ReferenceBackend(model, "float32").run(inputs)[0]
    assert rounded.dtype == np.float32
    assert 0 < np.abs(rounded - exact).max() < 1e-6


def test_casts_constants_and_branches_turn_to_float64_and_integers_stay() -> None:
    def branch(name: str, factor: float) -> onnx.GraphProto:
        nodes = [
            helper.make_node("Constant", [], [f"c{name}"], value_float=factor),
            helper.make_node("Cast", ["half"], [f"f{name}"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"f{name}", f"c{name}"], [name]),
        ]
        return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])

    nodes = [
        helper.make_node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("If", ["yes"], ["made"], then_branch=branch("a", 3.0), else_branch=branch("b", 2.0)),
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("Add", ["made", "zeros"], ["output"]),
    ]
    image, output = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [2]) for n in ("image", "output"))
    yes = numpy_helper.from_array(np.array(True), "yes")
    graph = helper.make_graph(nodes, "g", [image], [output], [yes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    value = np.array([1 / 3, 1e-9], np.float32)
    made = ReferenceBackend(model).run([value])[0]
    assert made.dtype == np.float64
    assert np.array_equal(made, value.astype(np.float64) * 3)
    assert in_double(model).graph.initializer[0].data_type == TensorProto.BOOL


def test_a_graph_that_it_cannot_open_is_an_error_in_one_sentence() -> None:
    graph = helper.make_graph([helper.make_node("Nope", [], ["y"])], "g", [], [])
    with pytest.raises(ExportError, match="reference evaluator cannot") as raised:
        ReferenceBackend(helper.make_model(graph))
    assert "\n" not in str(raised.value)


def test_every_operator_of_its_own_has_cases() -> None:
    assert {operator.__name__ for operator in OPERATORS} == set(CASES)
