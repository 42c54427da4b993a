from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.runtime.errors import ModelError
from upconv.runtime.subgraph import Shape, extract

IMAGE: dict[str, Shape] = {"image": ("n", 3, "h", "w")}


def model_of(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, "h", "w"])
    output = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "test", [image], [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {"upconv.contract": "text" * 100})
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def squeezed() -> bytes:
    """A convolution, its mean over the picture, and the product of both."""
    random = np.random.default_rng(0)
    weights = {"w": random.random((4, 3, 3, 3), np.float32), "unused": np.zeros(1000, np.float32)}
    return model_of(
        [
            helper.make_node("Conv", ["image", "w"], ["features"], pads=[1, 1, 1, 1]),
            helper.make_node("GlobalAveragePool", ["features"], ["mean"]),
            helper.make_node("Mul", ["features", "mean"], ["output"]),
        ],
        weights,
    )


def run(
    model: bytes, **inputs: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    onnx.load_from_string(model)
    session = ort.InferenceSession(model)
    assert {x.name for x in session.get_inputs()} == set(inputs)
    result: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = session.run(None, inputs)
    return result


def test_the_part_before_a_tensor_computes_that_tensor(squeezed: bytes) -> None:
    image = np.random.default_rng(1).random((1, 3, 8, 9), np.float32)
    part = extract(squeezed, IMAGE, ["features"])
    assert [node.op_type for node in onnx.load_from_string(part).graph.node] == ["Conv"]
    (features,) = run(part, image=image)
    (output,) = run(squeezed, image=image)
    np.testing.assert_allclose(features * features.mean((2, 3), keepdims=True), output, rtol=1e-5)


def test_a_tensor_that_is_given_replaces_the_node_that_makes_it(squeezed: bytes) -> None:
    image = np.random.default_rng(1).random((1, 3, 8, 9), np.float32)
    part = extract(squeezed, IMAGE | {"mean": ("n", 4, 1, 1)}, ["output"])
    (whole,) = run(squeezed, image=image)
    (features,) = run(extract(squeezed, IMAGE, ["features"]), image=image)
    (output,) = run(part, image=image, mean=features.mean((2, 3), keepdims=True))
    np.testing.assert_allclose(output, whole, rtol=1e-5)


def test_metadata_and_unused_weights_are_left_out(squeezed: bytes) -> None:
    part = onnx.load_from_string(extract(squeezed, IMAGE, ["features"]))
    assert not part.metadata_props
    assert [tensor.name for tensor in part.graph.initializer] == ["w"]
    assert part.opset_import[0].version == 18
    assert part.ir_version == 9


def test_a_missing_input_is_named(squeezed: bytes) -> None:
    with pytest.raises(ModelError, match="the tensors output also need image"):
        extract(squeezed, {"mean": ("n", 4, 1, 1)}, ["output"])


def test_a_tensor_that_only_an_inner_graph_uses_is_kept() -> None:
    inner = helper.make_graph(
        [helper.make_node("Add", ["features", "one"], ["sum"])],
        "inner",
        [],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    nodes = [
        helper.make_node("Relu", ["image"], ["features"]),
        helper.make_node("Constant", [], ["always"], value=numpy_helper.from_array(np.array(True))),
        helper.make_node("If", ["always"], ["output"], then_branch=inner, else_branch=inner),
        helper.make_node("Neg", ["output"], ["rest"]),
    ]
    image = np.ones((1, 3, 2, 2), np.float32)
    (output,) = run(extract(model_of(nodes, {}), IMAGE, ["output"]), image=image)
    np.testing.assert_array_equal(output, image + 1)


@pytest.mark.parametrize("cut", [1, 10, 100, 300])
def test_a_file_that_is_cut_off_is_refused(squeezed: bytes, cut: int) -> None:
    with pytest.raises(ModelError, match=r"can be taken apart|also need"):
        extract(squeezed[: len(squeezed) - cut - 420], IMAGE, ["features"])


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a" * 50, b"\xff" * 20])
def test_other_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match="can be taken apart"):
        extract(content, IMAGE, ["features"])


def test_a_bundled_file_is_the_same_after_it_is_taken_apart() -> None:
    """Long names, weights of kilobytes and lengths beyond one byte survive."""
    from upconv.models.catalogue import CATALOGUE

    path = CATALOGUE["deconv-s-x2"].forms[0]
    model = onnx.load(path)
    name = model.graph.output[0].name
    part = onnx.load_from_string(extract(path.read_bytes(), IMAGE, [name]))
    assert list(part.graph.node) == list(model.graph.node)
    assert {t.name for t in part.graph.initializer} <= {t.name for t in model.graph.initializer}
