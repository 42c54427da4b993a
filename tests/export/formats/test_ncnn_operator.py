from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from upconv.export.formats.ncnn_operator import OnnxOperator, WrittenLayer
from upconv.runtime.errors import ExportError


def test_axes_are_counted_without_the_batch() -> None:
    node = helper.make_node("Softmax", ["x"], ["y"], name="s")
    operator = OnnxOperator.of(node, {}, {"x": (None, 3, 5)})
    assert (operator.axis(1), operator.axis(-1)) == (0, 1)
    with pytest.raises(ExportError, match="the operator Softmax s cannot be converted to ncnn: it works along the batch"):
        operator.axis(-3)


def test_a_shape_that_is_not_known_is_that_of_a_picture() -> None:
    assert OnnxOperator.of(helper.make_node("Relu", ["x"], ["y"]), {}).shape == (None,) * 4


def test_the_shape_is_that_of_the_input_that_is_not_constant() -> None:
    node = helper.make_node("Add", ["c", "x"], ["y"])
    operator = OnnxOperator.of(node, {"c": np.zeros(3, np.float32)}, {"c": (3,), "x": (None, 3)})
    assert operator.shape == (None, 3)


def test_parameters_are_written_as_ncnn_reads_them() -> None:
    assert WrittenLayer("K", {0: 3, 1: 0.5, 9: [1, -233]}).text == "0=3 1=5.000000000e-01 -23309=2,1,-233"
