from __future__ import annotations

import numpy as np
import onnx
import pytest

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.fixed_arguments import MULTIPLES, with_fixed_arguments
from upconv.export.graphs import census, constants_of
from upconv.runtime.contract import SizeLaw

PAD = """
    s = Shape<start: int = 2>(x)
    minus = Neg(s)
    more = Mod(minus, step)
    after = Concat<axis: int = 0>(none4, none2, more)
    padded = Pad<mode: string = "edge">(x, after)
    r = Relu(padded)
    y = Slice(r, none2, s, space)
"""
RESIZE = "s = Shape(x) d = Mul(s, doubled) r = Relu(x) y = Resize(r, , , d)"
RESHAPE = """
    s = Shape<start: int = 0, end: int = 2>(x)
    c = Concat<axis: int = 0>(s, rest)
    flat = Reshape(x, c)
    t = Tanh(flat)
    whole = Shape(x)
    y = Reshape(t, whole)
"""
HALF = "s = Shape<start: int = 2>(x) h = Div(s, two) y = Slice(x, none2, h, space)"


def model(body: str, step: int = 4) -> onnx.ModelProto:
    constants = (
        f"int64[1] step = {{{step}}}, int64[4] none4 = {{0, 0, 0, 0}}, int64[2] none2 = {{0, 0}}, int64[2] space = {{2, 3}}, "
        "int64[4] doubled = {1, 1, 2, 2}, int64[1] rest = {-1}, int64 two = {2}"
    )
    return onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]> g (float[1,3,h,w] x) => (float[1,3,v,u] y) <{constants}> {{ {body} }}"""
    )


def laws(**law: int) -> tuple[SizeLaw, SizeLaw]:
    return SizeLaw(scale=1, **law), SizeLaw(scale=1, **law)


@pytest.mark.parametrize(
    ("body", "multiple", "operators"),
    [
        (PAD, 4, {"Pad": 1, "Relu": 1, "Slice": 1}),
        (RESIZE, 1, {"Relu": 1, "Resize": 1}),
        ("y = Relu(x)", 1, {"Relu": 1}),
    ],
)
def test_computed_arguments_become_constants_for_a_multiple(body: str, multiple: int, operators: dict[str, int]) -> None:
    before = model(body)
    fixed = with_fixed_arguments(before, laws())
    assert (fixed.multiple, census(fixed.model)) == (multiple, operators)
    for height, width in ((multiple, 3 * multiple), (12, 40)):
        picture = np.random.default_rng(0).random((1, 3, height, width), np.float32)
        expected, got = (OnnxruntimeBackend(m, "disabled").run([picture])[0] for m in (before, fixed.model))
        np.testing.assert_array_equal(got, expected)


def test_a_length_that_is_copied_is_0_and_the_rest_is_minus_1() -> None:
    fixed = with_fixed_arguments(model(RESHAPE.replace("y = Reshape(t, whole)", "y = Relu(t)")), laws())
    shapes = [value.tolist() for name, value in constants_of(fixed.model.graph).items() if name.endswith(".fixed")]
    assert shapes == [[1, 3, -1]]


@pytest.mark.parametrize("body", [HALF, RESHAPE])
def test_arguments_that_follow_the_size_stay(body: str) -> None:
    before = model(body)
    fixed = with_fixed_arguments(before, laws())
    assert fixed.model is before
    assert fixed.multiple == 1


@pytest.mark.parametrize(("step", "multiple"), [(MULTIPLES[-1], MULTIPLES[-1]), (2 * MULTIPLES[-1], 1)])
def test_multiples_up_to_64_are_tried(step: int, multiple: int) -> None:
    assert with_fixed_arguments(model(PAD, step), laws()).multiple == multiple


def test_the_multiple_of_the_size_law_is_respected() -> None:
    assert with_fixed_arguments(model(PAD, 6), laws(multiple=3, minimum=4)).multiple == 2
