from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.precision.equal_ranges import LEAST, ChannelBalance, channel_groups

IMAGE = np.random.default_rng(0).random((1, 3, 9, 13), np.float32)
UNEVEN = np.logspace(0, -3, 8, dtype=np.float32)
RESIDUAL = """
    a = Conv<pads = [1, 1, 1, 1]>(x, v, b)
    c = Relu(a)
    d = Conv<pads = [1, 1, 1, 1]>(c, w, b2)
    e = Add(d, a)
    f = Relu(e)
    y = ConvTranspose<strides = [2, 2]>(f, t)
"""
"""Two convolutions around which a third one is skipped."""


def model_of(nodes: str, outputs: str = "y") -> onnx.ModelProto:
    """Return a model of x (1, 3, 9, 13), whose weights have output channels of ranges from 1 to 1/1000."""
    listed = ", ".join(f"float[n, {name}_c, h_{name}, w_{name}] {name}" for name in outputs.split())
    header = f'<ir_version: 8, opset_import: ["" : 18]> g (float[1, 3, 9, 13] x) => ({listed})'
    model = onnx.parser.parse_model(header + "{" + nodes + "}")
    random = np.random.default_rng(1)
    shapes = {
        "v": (8, 3, 3, 3),
        "w": (8, 8, 3, 3),
        "b": (8,),
        "b2": (8,),
        "t": (8, 3, 4, 4),
        "z": (3, 8, 3, 3),
        "g": (8, 4, 3, 3),
    }
    used = {name for node in model.graph.node for name in node.input}
    for name, shape in shapes.items():
        values = random.normal(0, 1, shape).astype(np.float32)
        if name not in "tz":
            values *= UNEVEN.reshape(-1, *[1] * (len(shape) - 1))
        if name in used:
            model.graph.initializer.append(numpy_helper.from_array(values, name))
    constants = {
        "k": UNEVEN.reshape(1, 8, 1, 1),
        "scales": np.array([1, 1, 2, 2], np.float32),
        "slope": UNEVEN.reshape(8, 1, 1),
    }
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items() if name in used)
    onnx.checker.check_model(model)
    return model


def outputs_of(model: onnx.ModelProto) -> Array:
    return OnnxruntimeBackend(model).run([IMAGE])[0]


def balanced(model: onnx.ModelProto, strength: float) -> onnx.ModelProto:
    return ChannelBalance(model, [[IMAGE]]).balanced(strength)


def ranges_of(model: onnx.ModelProto, name: str) -> Array:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return np.asarray(np.abs(OnnxruntimeBackend(copy).run([IMAGE])[-1]).max(axis=(0, 2, 3)))


@pytest.mark.parametrize("strength", [0.25, 0.5, 1.0])
def test_the_function_keeps_every_bit(strength: float) -> None:
    model = model_of(RESIDUAL)
    result = balanced(model, strength)
    assert result.SerializeToString(deterministic=True) != model.SerializeToString(deterministic=True)
    np.testing.assert_array_equal(outputs_of(model), outputs_of(result))


def test_the_ranges_of_all_channels_become_similar() -> None:
    model = model_of("a = Conv(x, v, b) c = Relu(a) y = Conv(c, z)")
    before, after = (ranges_of(each, "a") for each in (model, balanced(model, 1.0)))
    assert before.max() / before.min() > 100
    assert after.max() / after.min() <= 2.001, "powers of two leave a factor of two"


def test_a_skip_connection_joins_what_it_adds() -> None:
    groups = channel_groups(model_of(RESIDUAL).graph)
    assert [group.tensors for group in groups] == [["a", "c", "d", "e", "f"]]
    assert [len(groups[0].writers), len(groups[0].readers)] == [2, 2]


def test_the_model_and_its_ranges_are_not_changed() -> None:
    model = model_of(RESIDUAL)
    before = model.SerializeToString(deterministic=True)
    balance = ChannelBalance(model, [[IMAGE]])
    first = balance.balanced(0.5)
    assert balance.balanced(0.5).SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert model.SerializeToString(deterministic=True) == before


def test_an_unused_channel_gets_no_huge_factor() -> None:
    model = model_of("a = Conv(x, v, b) c = Relu(a) y = Conv(c, z)")
    dead = numpy_helper.to_array(model.graph.initializer[0]).copy()
    dead[2] = 0
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(dead, "v"))
    weights = [
        next(numpy_helper.to_array(t) for t in each.graph.initializer if t.name == "z")
        for each in (model, balanced(model, 1.0))
    ]
    factors = np.abs(weights[1] / weights[0]).max(axis=(0, 2, 3))
    assert factors.max() / factors.min() <= 2 / LEAST


def test_channels_that_are_all_zero_stay_as_they_are() -> None:
    model = model_of("a = Conv(x, v) c = Relu(a) y = Conv(c, z)")
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.zeros((8, 3, 3, 3), np.float32), "v"))
    np.testing.assert_array_equal(outputs_of(balanced(model, 0.5)), outputs_of(model))


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ("a = Conv(x, v) c = Add(a, k) y = Conv(c, z)", "y"),
        ("a = Conv(x, v) c = Sigmoid(a) y = Conv(c, z)", "y"),
        ("a = Conv(x, v) c = Sigmoid(a) d = PRelu(a, c) y = Conv(d, z)", "y"),
        ("a = Conv(x, v) y = Conv<group = 2>(a, g)", "y"),
        ("a = Conv(x, v) y = Conv(a, z)", "y a"),
        ("a = Conv(x, v) c = Sigmoid(a) d = Conv(c, w) y = Conv(d, w)", "y"),
        ("a = Conv(x, v) c = Concat<axis = 1>(a) y = Conv(c, z)", "y"),
        ("y = Conv(x, v)", "y"),
    ],
    ids=["a constant", "a sigmoid", "a computed slope", "groups", "an output", "common weights", "a concatenation", "the ends"],
)
def test_channels_without_a_common_factor_stay_as_they_are(nodes: str, outputs: str) -> None:
    model = model_of(nodes, outputs)
    assert channel_groups(model.graph) == []
    assert balanced(model, 0.5).SerializeToString(deterministic=True) == model.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    "between",
    [
        "Relu(a)",
        "LeakyRelu<alpha = 0.2>(a)",
        "PRelu(a, slope)",
        "MaxPool<kernel_shape = [2, 2]>(a)",
        "AveragePool<kernel_shape = [2, 2]>(a)",
        "Identity(a)",
        'Resize<mode = "linear">(a, , scales)',
        "Add(a, a)",
    ],
)
def test_operators_that_pass_a_factor_on(between: str) -> None:
    model = model_of(f"a = Conv(x, v, b) c = {between} y = Conv(c, z)")
    assert len(channel_groups(model.graph)) == 1
    np.testing.assert_array_equal(outputs_of(balanced(model, 0.75)), outputs_of(model))
