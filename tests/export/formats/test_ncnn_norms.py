from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

from upconv.export.backends import Array
from upconv.export.formats.ncnn_norms import batch_norm, instance_norm, layer_norm
from upconv.export.formats.ncnn_operator import Lengths, OnnxOperator
from upconv.runtime.errors import ExportError


def operator(kind: str, weights: list[Array | None], shape: Lengths = (None, 3, None, None), **attributes: Any) -> OnnxOperator:
    names = [f"w{n}" for n in range(len(weights))]
    known = {name: array for name, array in zip(names, weights, strict=True) if array is not None}
    return OnnxOperator.of(helper.make_node(kind, ["x", *names], ["y"], **attributes), known, {"x": shape})


def channels(*values: float) -> Array:
    return np.array(values, np.float32)


def test_batch_norm_has_the_weights_in_the_order_of_ncnn() -> None:
    layer = batch_norm(operator("BatchNormalization", [channels(1), channels(2), channels(3), channels(4)]))
    assert layer.plain is not None
    assert layer.plain.tolist() == [1, 3, 4, 2]
    assert layer.text == "0=1 1=1.000000000e-05"


def test_layer_norm_without_offsets_has_zeros() -> None:
    layer = layer_norm(operator("LayerNormalization", [channels(5, 6)], (None, 4, 2)))
    assert layer.plain is not None
    assert layer.plain.tolist() == [5, 6, 0, 0]


def test_what_ncnn_does_not_normalize_is_named() -> None:
    ones = channels(1, 1, 1)
    with pytest.raises(ExportError, match=r"BatchNormalization .*: it has weights that are not constant"):
        batch_norm(operator("BatchNormalization", [ones, ones, None, ones]))
    with pytest.raises(ExportError, match="as in training"):
        batch_norm(operator("BatchNormalization", [ones] * 4, training_mode=1))
    with pytest.raises(ExportError, match=r"InstanceNormalization .*: it reads a tensor with 3 axes"):
        instance_norm(operator("InstanceNormalization", [ones, ones], (None, 3, None)))
    with pytest.raises(ExportError, match="does not normalize along the last axis only"):
        layer_norm(operator("LayerNormalization", [ones], axis=1))
