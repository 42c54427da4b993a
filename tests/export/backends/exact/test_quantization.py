from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array
from upconv.export.backends.reference_graph import ReferenceBackend


def dequantized(x: Array, scale: Array, zero: Array, opset: int = 13, **attributes: Any) -> Array:
    tensors = [numpy_helper.from_array(array, name) for name, array in (("s", scale), ("z", zero))]
    node = helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"], **attributes)
    values = [
        helper.make_tensor_value_info(name, kind, x.shape) for name, kind in (("x", TensorProto.INT8), ("y", TensorProto.FLOAT))
    ]
    graph = helper.make_graph([node], "g", values[:1], values[1:], tensors)
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return ReferenceBackend(model).run([x])[0]


@pytest.mark.parametrize("opset", [10, 13, 21])
def test_one_scale_for_all_values(opset: int) -> None:
    x = np.array([[-2, 4]], np.int8)
    assert dequantized(x, np.array(0.5, np.float32), np.array(2, np.int8), opset).tolist() == [[-2, 1]]


def test_one_scale_per_index_or_per_block() -> None:
    x = np.array([[1, 2, 3], [4, 5, 6]], np.int8)
    per_row = dequantized(x, np.array([1, 10], np.float32), np.array([0, 1], np.int8), axis=0)
    assert per_row.tolist() == [[1, 2, 3], [30, 40, 50]]
    blocks = np.array([[1, 10], [2, 20]], np.float32)
    assert dequantized(x, blocks, np.zeros((2, 2), np.int8), 21, axis=1, block_size=2).tolist() == [[1, 2, 30], [8, 10, 120]]
