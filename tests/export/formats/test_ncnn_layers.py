from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.formats import FormatOptions
from upconv.export.formats.ncnn import NcnnFormat
from upconv.export.formats.ncnn_layers import BINARY, HANDLERS, layer_of
from upconv.export.formats.ncnn_operator import OnnxOperator
from upconv.export.sizes import InputAxis
from upconv.export.sources.ncnn.conversion import convert
from upconv.runtime.errors import ExportError


class SlicedBlend(nn.Module):
    """Constants per channel, numbers on both sides, a cut, a split and a mean of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.rand(1, 8, 1, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first, second = torch.split((1 - image * self.gain)[:, :, 1:-1, 2:] / 2, [3, 5], 1)
        whole = torch.cat([second, first.clamp(0.1, 0.4)], 1)
        return whole * torch.sigmoid(whole.mean((2, 3), keepdim=True))


MODULES = {
    "grouped": nn.Conv2d(3, 6, 3, groups=3, padding=1),
    "grouped transposed": nn.Sequential(nn.Conv2d(3, 8, 3), nn.ConvTranspose2d(8, 16, 3, 2, 1, output_padding=1, groups=2)),
    "blend": nn.Sequential(nn.Conv2d(3, 8, 1), SlicedBlend()),
    "reflect": nn.Sequential(nn.ReflectionPad2d((1, 2, 3, 0)), nn.MaxPool2d(2), nn.Softmax(1)),
    "edge": nn.Sequential(nn.ReplicationPad2d(2), nn.AvgPool2d(2), nn.Hardswish(), nn.SiLU()),
    "corners": nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True),
    "bicubic": nn.Upsample(scale_factor=2, mode="bicubic"),
}


@pytest.mark.parametrize("name", MODULES)
def test_ncnn_computes_the_operators(name: str, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    torch.manual_seed(0)
    picture = np.random.default_rng(0).random((1, 3, 10, 18), np.float32)
    model = capture(MODULES[name].eval(), "m", [picture], [InputAxis(index, None, free=True) for index in (2, 3)])
    options = FormatOptions(names=("data", "output"))
    for suffix, data in NcnnFormat().content(model, options).items():
        tmp_path.joinpath(f"m{suffix}").write_bytes(data)
    (got,) = NcnnFormat().backend(tmp_path / "m", model, options).run([picture])
    (expected,) = OnnxruntimeBackend(model, "all").run([picture])
    np.testing.assert_allclose(got, expected, atol=1e-6)


@dataclass(frozen=True)
class Case:
    """One operator: the constants after its input, and its attributes."""

    kind: str
    constants: Sequence[Array] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    outputs: int = 1
    shape: tuple[int, ...] = (1, 4, 6, 10)
    reverse: bool = False
    """True if the constants come before the input."""

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(map(str, self.attributes.values()))}".strip()

    @property
    def model(self) -> onnx.ModelProto:
        names = [f"c{n}" for n in range(len(self.constants))]
        made = ["y"] if self.outputs == 1 else [f"y{n}" for n in range(self.outputs)]
        inputs = [*names, "x"] if self.reverse else ["x", *names]
        nodes = [helper.make_node(self.kind, inputs, made, **self.attributes)]
        if self.outputs > 1:
            nodes.append(helper.make_node("Concat", made[::-1], ["y"], axis=1))
        x, y = (
            helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", self.shape), ("y", None))
        )
        weights = [numpy_helper.from_array(array, name) for array, name in zip(self.constants, names, strict=True)]
        opset = [helper.make_opsetid("", 20)]
        return helper.make_model(helper.make_graph(nodes, "g", [x], [y], weights), opset_imports=opset, ir_version=9)


def numbers(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).random(shape, np.float32) + floats(0.25)


def floats(*values: float) -> Array:
    return np.array(values, np.float32)


def whole(*values: int) -> Array:
    return np.array(values, np.int64)


ONE_INPUT = "Abs Ceil Cos Elu Exp Floor Gelu GlobalAveragePool HardSigmoid HardSwish Identity LeakyRelu Log Mish Neg Reciprocal Relu Sigmoid Sin Softplus Sqrt Tanh"
CASES = (
    *(Case(kind) for kind in ONE_INPUT.split()),
    *(Case(kind, [floats(0.7)], reverse=reverse) for kind in sorted(BINARY) for reverse in (False, True)),
    *(Case(kind, [numbers(4, 1, 1)], reverse=reverse) for kind in sorted(BINARY) for reverse in (False, True)),
    Case("Add", [numbers(1, 10)]),
    Case("Mul", [numbers(10)], shape=(1, 6, 10)),
    Case("AveragePool", [], {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "count_include_pad": 1}),
    Case("AveragePool", [], {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [0, 1, 1, 1]}),
    Case("BatchNormalization", [numbers(4), numbers(4), -numbers(4), numbers(4)], {"epsilon": 1e-3}),
    Case("Clip", [np.array(0.3, np.float32), np.array(0.6, np.float32)]),
    Case("Conv", [numbers(6, 4, 3, 3)], {"pads": [1, 0, 1, 2], "dilations": [1, 2]}),
    Case(
        "ConvTranspose", [numbers(4, 5, 3, 4), numbers(5)], {"strides": [2, 1], "pads": [1, 0, 1, 1], "output_padding": [1, 0]}
    ),
    Case("DepthToSpace", [], {"blocksize": 2, "mode": "CRD"}),
    Case("DepthToSpace", [], {"blocksize": 2, "mode": "DCR"}),
    Case("Gelu", [], {"approximate": "tanh"}),
    Case("InstanceNormalization", [numbers(4), numbers(4)]),
    Case("LayerNormalization", [numbers(10), numbers(10)], {"axis": -1}),
    Case("LayerNormalization", [numbers(10)], {"axis": 2, "epsilon": 1e-3}, shape=(1, 6, 10)),
    Case("MatMul", [numbers(10, 7)], shape=(1, 6, 10)),
    Case("MaxPool", [], {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
    Case("PRelu", [-numbers(4, 1, 1)]),
    Case("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 0), np.array(0.5, np.float32)]),
    Case("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "edge"}),
    Case("Pad", [whole(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"}),
    Case("ReduceMean", [whole(-1, 2)]),
    Case("Reshape", [whole(0, 8, -1)]),
    Case("Reshape", [whole(0, 0, -1)]),
    Case("Reshape", [whole(1, 2, 5, 24)]),
    Case("Reshape", [whole(0, 5, 3, 8)], shape=(1, 12, 10)),
    Case(
        "Resize",
        [floats(), floats(1, 1, 2, 3)],
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    Case("Resize", [floats(), floats(1, 1, 2, 3)], {"mode": "linear"}),
    Case("Resize", [floats(), floats(1, 1, 2, 2)], {"mode": "cubic"}),
    Case("Slice", [whole(1, -7), whole(2**40, -1), whole(2, 3)]),
    Case("Softmax", [], {"axis": 1}),
    Case("Softmax", [], {"axis": -1}, shape=(1, 6, 10)),
    Case("SpaceToDepth", [], {"blocksize": 2}),
    Case("Split", [whole(1, 3)], {"axis": 1}, outputs=2),
    *(Case("Transpose", [], {"perm": [0, *order]}) for order in permutations((1, 2, 3))),
    Case("Transpose", [], {"perm": [0, 2, 1]}, shape=(1, 6, 10)),
)
IN_MODULES = {"Concat"}
"""The operators that only the modules above have."""


def test_each_operator_has_a_case() -> None:
    assert {case.kind for case in CASES} | IN_MODULES == set(HANDLERS)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_ncnn_computes_an_operator_and_its_layer_is_read_back(case: Case, tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    model, picture = case.model, np.random.default_rng(0).random(case.shape, np.float32)
    (expected,) = OnnxruntimeBackend(model, "disabled").run([picture])
    files = NcnnFormat().content(model, FormatOptions())
    for suffix, data in files.items():
        tmp_path.joinpath(f"m{suffix}").write_bytes(data)
    (got,) = NcnnFormat().backend(tmp_path / "m", model, FormatOptions()).run([picture])
    np.testing.assert_allclose(np.reshape(got, expected.shape), expected, atol=2e-6, rtol=2e-6)
    again = convert(files[".param"], files[".bin"], [case.shape]).model
    (read,) = OnnxruntimeBackend(again, "disabled").run([picture])
    np.testing.assert_allclose(np.reshape(read, expected.shape), expected, atol=2e-6, rtol=2e-6)


def test_an_operator_without_a_layer_is_named_with_its_place() -> None:
    node = onnx.helper.make_node("Erf", ["x"], ["y"], name="block/erf")
    with pytest.raises(ExportError, match="the operator Erf block/erf cannot be converted to ncnn"):
        layer_of(OnnxOperator.of(node, {}))
