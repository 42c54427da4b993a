from __future__ import annotations

import numpy as np
import onnx

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.precision import CalibrationSamples
from upconv.export.precision.int8 import Quantizer
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
