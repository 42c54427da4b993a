from __future__ import annotations

import numpy as np
import onnx

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.precision import CalibrationSamples
from upconv.export.precision.int8 import Quantizer, last_sums
from upconv.runtime.contract import Contract

IMAGE = np.random.default_rng(0).random((1, 3, 12, 17), np.float32)
SAMPLES = CalibrationSamples(((IMAGE,),))


def test_every_node_is_quantized_unless_it_is_kept(exact: tuple[onnx.ModelProto, Contract]) -> None:
    quantizer = Quantizer(exact[0], SAMPLES)
    kinds = [name for name in quantizer.nodes if name in {node.name for node in exact[0].graph.node}]
    assert len(set(quantizer.nodes)) == len(quantizer.nodes)
    assert set(quantizer.nodes) - set(kinds) == {f"{kinds[-1]}_used"}, "the last convolution has 3 outputs"
    assert "QuantizeLinear" in {node.op_type for node in quantizer.quantized().graph.node}
    assert "QuantizeLinear" not in {node.op_type for node in quantizer.quantized(quantizer.nodes).graph.node}


def test_the_model_is_not_changed_and_the_result_is_close(exact: tuple[onnx.ModelProto, Contract]) -> None:
    before = exact[0].SerializeToString(deterministic=True)
    reduced = Quantizer(exact[0], SAMPLES).quantized()
    assert exact[0].SerializeToString(deterministic=True) == before
    expected, outputs = (OnnxruntimeBackend(model).run([IMAGE])[0] for model in (exact[0], reduced))
    assert 0 < np.abs(outputs - expected).max() < 0.1


def test_the_last_sum_and_the_enlarged_picture_stay_in_float32() -> None:
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["" : 18]> g (float[1, 3, 12, 17] x) => (float[1, 3, 24, 34] y)
        <float[4] scales = {1, 1, 2, 2}> {
            base = Resize<mode = "linear">(x, , scales)
            detail = Conv<pads = [1, 1, 1, 1]>(base, v)
            more = Resize<mode = "nearest">(x, , scales)
            fine = Conv<pads = [1, 1, 1, 1]>(detail, v2)
            z = Add(fine, more)
            y = Clip(z)
        }"""
    )
    random = np.random.default_rng(1)
    for name in ("v", "v2"):
        model.graph.initializer.append(
            onnx.numpy_helper.from_array(random.normal(0, 0.2, (3, 3, 3, 3)).astype(np.float32), name)
        )
    quantizer = Quantizer(model, SAMPLES)
    graph = quantizer.quantized().graph
    writers = {name: node for node in graph.node for name in node.output}
    last = writers[writers["y"].input[0]]
    assert [writers["y"].op_type, last.op_type] == ["Clip", "Add"]
    assert sorted(writers[name].op_type for name in last.input) == ["DequantizeLinear", "Resize"]
    assert writers["more"].input[0] == "x"
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert {writers[node.input[0]].op_type for node in convolutions} == {"DequantizeLinear"}


def test_a_deep_graph_has_no_branch_without_weights() -> None:
    nodes = [onnx.helper.make_node("Relu", [f"t{n}"], [f"t{n + 1}"], name=f"r{n}") for n in range(3000)]
    nodes.append(onnx.helper.make_node("Add", ["t3000", "t3000"], ["y"], name="sum"))
    values = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("t0", "y")]
    assert last_sums(onnx.helper.make_graph(nodes, "g", values[:1], values[1:])) == {"sum"}


def test_a_picture_keeps_its_256_values(exact: tuple[onnx.ModelProto, Contract]) -> None:
    samples = CalibrationSamples((((IMAGE * 0.5 + 0.2).astype(np.float32),),), bounds=(0.0, 1.0))
    graph = Quantizer(exact[0], samples).quantized().graph
    first = next(node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == graph.input[0].name)
    scale, zero = (next(onnx.numpy_helper.to_array(t) for t in graph.initializer if t.name == name) for name in first.input[1:])
    np.testing.assert_allclose(scale, 1 / 255, rtol=1e-6)
    assert zero == 0
