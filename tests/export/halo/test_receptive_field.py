from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from onnx import helper

from upconv.export.halo.receptive_field import Operator, ReceptiveField, UnboundedError

START = (ReceptiveField(), ReceptiveField())


def operator(kind: str, constants: dict[str, Any] | None = None, inputs: str = "x", **attributes: Any) -> Operator:
    node = helper.make_node(kind, inputs.split(","), ["y"], **attributes)
    return Operator(node, {name: np.asarray(value) for name, value in (constants or {}).items()})


def after(kind: str, constants: dict[str, Any] | None = None, inputs: str = "x", **attributes: Any) -> ReceptiveField:
    return operator(kind, constants, inputs, **attributes).after([START])[0]


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
        ("Pad", {"p": [0] * 4}, "x,p", {}, "padding is unknown"),
        ("Pad", {}, "x,p", {}, "padding is unknown"),
        ("Pad", {"p": [0] * 8, "a": [2]}, "x,p,,a", {}, "padding is unknown"),
        ("ConvTranspose", {"w": np.ones((1, 1, 3, 3))}, "x,w", {"output_shape": [9, 9]}, "output size is fixed"),
        ("Resize", {"r": [1, 1, 2]}, "x,,r", {}, "not a fixed multiple"),
        ("Resize", {"r": [1, 1, 2, 2]}, "x,,r", {"coordinate_transformation_mode": "align_corners"}, "align_corners positions"),
        ("Resize", {"r": [1, 1, 0.5, 2]}, "x,,r", {"antialias": 1}, "antialiasing"),
        ("Slice", {"e": [9], "a": [2]}, "x,s,e,a", {}, "bounds are unknown"),
        ("Slice", {"s": [3], "e": [9]}, "x,s,e,a", {}, "bounds are unknown"),
        ("Slice", {"s": [3], "e": [9], "a": [2]}, "x,s,e,a,t", {}, "bounds are unknown"),
        ("Slice", {"s": [3], "e": [9], "a": [2], "t": [-1]}, "x,s,e,a,t", {}, "counts from the end"),
        ("Slice", {"s": [3], "e": [9], "a": [2], "t": [0]}, "x,s,e,a,t", {}, "counts from the end"),
        ("Softmax", {}, "x", {"axis": 3}, "whole image"),
        ("Softmax", {}, "x", {}, "whole image"),
        ("Concat", {}, "x,x", {"axis": 2}, "whole image"),
        ("Split", {"s": [1, 1]}, "x,s", {}, "whole image"),
        ("ReduceMean", {}, "x", {}, "whole image"),
        ("ReduceMean", {"a": [1, 2]}, "x,a", {}, "whole image"),
    ],
)
def test_a_field_without_a_bound_is_refused(
    kind: str, constants: dict[str, Any], inputs: str, attributes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(UnboundedError, match=reason):
        after(kind, constants, inputs, **attributes)


def field(rate: Fraction | float, low: Fraction | float, high: Fraction | float) -> ReceptiveField:
    return ReceptiveField(Fraction(rate), Fraction(low), Fraction(high))


SAME = field(1, 0, 0)
THIRD = Fraction(1, 3)
SIDES = {"w": np.ones((4, 3, 5, 3))}
ENLARGED = {"r": np.array([1, 1, 2, 3], np.float32)}
FLOOR = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@pytest.mark.parametrize(
    ("kind", "constants", "inputs", "attributes", "height", "width"),
    [
        ("Conv", SIDES, "x,w", {}, field(1, 0, 4), field(1, 0, 2)),
        ("Conv", {}, "x,w", {"kernel_shape": [3, 5]}, field(1, 0, 2), field(1, 0, 4)),
        ("Conv", SIDES, "x,w", {"auto_pad": "VALID"}, field(1, 0, 4), field(1, 0, 2)),
        (
            *("Conv", SIDES, "x,w", {"strides": [2, 1], "pads": [1, 2, 3, 4], "dilations": [2, 3]}),
            *(field(0.5, -1, 7), field(1, -2, 4)),
        ),
        ("AveragePool", {}, "x", {"kernel_shape": [2, 3], "strides": [2, 3]}, field(0.5, 0, 1), field(THIRD, 0, 2)),
        (
            *(
                "ConvTranspose",
                {},
                "x,w",
                {"kernel_shape": [4, 3], "strides": [2, 3], "pads": [1, 0, 1, 0], "dilations": [1, 2]},
            ),
            *(field(2, -1, 0.5), field(3, -4 * THIRD, 0)),
        ),
        ("DepthToSpace", {}, "x", {"blocksize": 3}, field(3, -2 * THIRD, 0), field(3, -2 * THIRD, 0)),
        ("SpaceToDepth", {}, "x", {"blocksize": 3}, field(THIRD, 0, 2), field(THIRD, 0, 2)),
        ("Pad", {"p": [0, 0, 1, 2, 0, 0, 3, 4]}, "x,p", {}, field(1, -1, -1), field(1, -2, -2)),
        ("Pad", {"p": [0, 0, 1, 2, 0, 0, 3, 4]}, "x,p,v", {"mode": "reflect"}, field(1, -1, -1), field(1, -2, -2)),
        ("Slice", {"s": [0, 0, 5, 6], "e": [9] * 4}, "x,s,e", {}, field(1, 5, 5), field(1, 6, 6)),
        ("Slice", {"s": [1], "e": [9], "a": [1]}, "x,s,e,a", {}, SAME, SAME),
        ("Slice", {"s": [4, 0], "e": [9, 9], "a": [-1, -2]}, "x,s,e,a", {}, SAME, field(1, 4, 4)),
        ("Slice", {"s": [1], "e": [9], "a": [2], "t": [3]}, "x,s,e,a,t", {}, field(THIRD, 1, 1), SAME),
        ("Resize", ENLARGED, "x,,r", FLOOR, field(2, -0.5, 0), field(3, -2 * THIRD, 0)),
        ("Resize", ENLARGED, "x,,r", {}, field(2, -1, 0.5), field(3, -Fraction(7, 6), 0.5)),
        ("Resize", {"r": [1, 1, 1, 1.5]}, "x,,r", {"antialias": 1}, field(1, -0.5, 0.5), field(1.5, -1, 2 * THIRD)),
        ("Resize", ENLARGED, "x,,r", {"antialias": 1}, field(2, -1, 0.5), field(3, -Fraction(7, 6), 0.5)),
        (
            *("Resize", ENLARGED, "x,,r", {"mode": "cubic", "coordinate_transformation_mode": "pytorch_half_pixel"}),
            *(field(2, -2, 1.5), field(3, -Fraction(13, 6), 1.5)),
        ),
        *(
            ("Resize", ENLARGED, "x,,r", {**FLOOR, **more}, field(2, -0.75, 0.75), field(3, -Fraction(5, 6), Fraction(5, 6)))
            for more in ({"mode": "linear"}, {"nearest_mode": "ceil"}, {"nearest_mode": "round_prefer_floor"})
        ),
        (
            *("Resize", ENLARGED, "x,,r", {"coordinate_transformation_mode": "asymmetric"}),
            *(field(2, -0.75, 0.75), field(3, -Fraction(5, 6), Fraction(5, 6))),
        ),
        ("Resize", ENLARGED, "x,,r", {"nearest_mode": "floor"}, field(2, -1, 0.5), field(3, -Fraction(7, 6), 0.5)),
        ("Resize", {"r": np.array([1, 1, THIRD, 1], np.float32)}, "x,,r", FLOOR, field(THIRD, 0, 0), SAME),
        (
            "Resize",
            {"r": np.array([1, 1, 0.999, 1], np.float32)},
            "x,,r",
            FLOOR,
            field(Fraction(999, 1000), -Fraction(998, 999), 0),
            SAME,
        ),
        ("Concat", {}, "x,x", {"axis": 1}, SAME, SAME),
        ("Split", {"s": [2, 2]}, "x,s", {"axis": 1}, SAME, SAME),
        ("Softmax", {}, "x", {"axis": 0}, SAME, SAME),
        ("ReduceMean", {}, "x", {"axes": [1]}, SAME, SAME),
        ("ReduceMean", {"a": [0, 1]}, "x,a", {}, SAME, SAME),
    ],
)
def test_the_field_after_each_operator(
    kind: str,
    constants: dict[str, Any],
    inputs: str,
    attributes: dict[str, Any],
    height: ReceptiveField,
    width: ReceptiveField,
) -> None:
    assert operator(kind, constants, inputs, **attributes).after([START]) == (height, width)


def test_a_field_follows_that_of_the_first_input() -> None:
    before = (field(2, -1, 3), field(3, 0, 1))
    for kind, attributes in (("Conv", {"kernel_shape": [1, 1]}), ("Relu", {})):
        assert operator(kind, {}, "x,w", **attributes).after([before]) == before


def test_the_field_of_several_inputs_holds_all_of_them() -> None:
    inputs = [(field(2, -1, 1), SAME), (field(2, -3, 0), field(1, 0, 5)), (field(2, 0, 2), field(1, -4, 0))]
    assert operator("Add").after(inputs) == (field(2, -3, 2), field(1, -4, 5))


@pytest.mark.parametrize("other", [(field(2, 0, 0), SAME), (SAME, field(2, 0, 0))])
def test_tensors_of_different_sizes_have_no_common_field(other: tuple[ReceptiveField, ReceptiveField]) -> None:
    with pytest.raises(UnboundedError, match="different sizes"):
        operator("Add").after([(SAME, SAME), other])


def test_only_what_works_on_each_position_alone_is_pointwise() -> None:
    assert operator("Relu").pointwise
    assert not operator("Concat", axis=1).pointwise


def test_a_constant_is_that_of_an_input_that_exists() -> None:
    conv = operator("Conv", {"w": [1]}, "x,w,")
    assert conv.constant(1) is not None
    assert (conv.constant(0), conv.constant(2), conv.constant(3)) == (None, None, None)
    assert [conv.given(index) for index in range(4)] == [True, True, False, False]
