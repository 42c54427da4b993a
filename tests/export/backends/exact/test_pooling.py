from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from upconv.export.backends.reference_graph import ReferenceBackend


def pooled(kind: str, **attributes: Any) -> list[float]:
    """The pool of the line 1, 2, 3, 4, 5 with a window of 2 pixels and stride 2."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, None]) for name in ("x", "y")]
    node = helper.make_node(kind, ["x"], ["y"], kernel_shape=[2], strides=[2], **attributes)
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    output: list[float] = ReferenceBackend(model).run([np.arange(1, 6, dtype=np.float32).reshape(1, 1, 5)])[0][0, 0].tolist()
    return output


@pytest.mark.parametrize(("ceil", "expected"), [(0, [2, 4]), (1, [2, 4, 5])])
def test_the_last_window_counts_only_with_ceil_mode(ceil: int, expected: list[float]) -> None:
    assert pooled("MaxPool", ceil_mode=ceil) == expected


@pytest.mark.parametrize(("include", "expected"), [(0, [1, 2.5, 4.5]), (1, [0.5, 2.5, 4.5])])
def test_padding_counts_in_the_mean_only_if_included(include: int, expected: list[float]) -> None:
    assert pooled("AveragePool", pads=[1, 0], count_include_pad=include) == expected
