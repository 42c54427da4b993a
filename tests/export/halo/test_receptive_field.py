from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from onnx import helper

from upconv.export.halo.receptive_field import Operator, ReceptiveField, UnboundedError

START = (ReceptiveField(), ReceptiveField())


def after(kind: str, constants: dict[str, Any] | None = None, inputs: str = "x", **attributes: Any) -> ReceptiveField:
    node = helper.make_node(kind, inputs.split(","), ["y"], **attributes)
    return Operator(node, {name: np.asarray(value) for name, value in (constants or {}).items()}).after([START])[0]


def test_rules_give_scale_and_bounds() -> None:
    assert after("Relu") == ReceptiveField()
    assert after("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]) == ReceptiveField(
        Fraction(1, 2), Fraction(-1), Fraction(1)
    )
    assert after("DepthToSpace", blocksize=2).scale == 2
    assert after("Slice", {"s": [3], "e": [9], "a": [2]}, "x,s,e,a") == ReceptiveField(Fraction(1), Fraction(3), Fraction(3))


def test_fields_are_composed_in_input_pixels() -> None:
    field = ReceptiveField(Fraction(2)).through(Fraction(1), Fraction(-1), Fraction(1))
    assert field == ReceptiveField(Fraction(2), Fraction(-1, 2), Fraction(1, 2))
    assert field | ReceptiveField(Fraction(2), Fraction(-3)) == ReceptiveField(Fraction(2), Fraction(-3), Fraction(1, 2))


@pytest.mark.parametrize(
    ("kind", "constants", "inputs", "attributes", "reason"),
    [
        ("MatMul", {}, "x,w", {}, "whole image"),
        ("Conv", {}, "x,w", {}, "kernel is unknown"),
        ("Conv", {"w": np.ones((1, 1, 3, 3))}, "x,w", {"auto_pad": "SAME_UPPER"}, "automatic padding"),
        ("Resize", {}, "x,,", {}, "not a fixed multiple"),
        ("Pad", {"p": [0] * 8}, "x,p", {"mode": "wrap"}, "opposite side"),
        ("Slice", {"s": [-3], "e": [9], "a": [2]}, "x,s,e,a", {}, "counts from the end"),
        ("Softmax", {}, "x", {"axis": 3}, "whole image"),
    ],
)
def test_a_field_without_a_bound_is_refused(
    kind: str, constants: dict[str, Any], inputs: str, attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnboundedError, match=reason):
        after(kind, constants, inputs, **attributes)
