from __future__ import annotations

import onnx

from upconv.export.precision import PrecisionOptions
from upconv.runtime.contract import Contract


def test_float16_keeps_inputs_and_scales_in_their_types(exact: tuple[onnx.ModelProto, Contract]) -> None:
    reduced = PrecisionOptions("fp16").apply(*exact)
    model = reduced.model
    assert reduced.quality.psnr_db > 60
    onnx.checker.check_model(model, full_check=True)
    types = {t.name: t.data_type for t in model.graph.initializer}
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    assert types[resize.input[2]] == onnx.TensorProto.FLOAT
    assert onnx.TensorProto.FLOAT16 in types.values()
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
