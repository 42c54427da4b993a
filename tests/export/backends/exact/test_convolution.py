from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends.reference_graph import ReferenceBackend


def convolved(kind: str, **attributes: Any) -> list[float]:
    """The line 1, 2, 3 with the kernel 1, 10."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, None]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.array([[[1, 10]]], np.float32), "w")
    graph = helper.make_graph([helper.make_node(kind, ["x", "w"], ["y"], **attributes)], "g", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    output: list[float] = ReferenceBackend(model).run([np.array([[[1, 2, 3]]], np.float32)])[0][0, 0].tolist()
    return output


def test_convolution_pads_each_side_by_its_own_amount() -> None:
    assert convolved("Conv") == [21, 32]
    assert convolved("Conv", pads=[0, 1]) == [21, 32, 3]
    assert convolved("Conv", auto_pad="SAME_LOWER") == [10, 21, 32]


def test_transposed_convolution_crops_and_extends() -> None:
    assert convolved("ConvTranspose", strides=[2]) == [1, 10, 2, 20, 3, 30]
    assert convolved("ConvTranspose", strides=[2], pads=[1, 0]) == [10, 2, 20, 3, 30]
    assert convolved("ConvTranspose", strides=[2], output_padding=[1]) == [1, 10, 2, 20, 3, 30, 0]
    assert convolved("ConvTranspose", strides=[3], output_shape=[9]) == [1, 10, 0, 2, 20, 0, 3, 30, 0]
