from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import from_file
from upconv.export.parity.swapped_inputs import swapped_inputs
from upconv.runtime.errors import ParameterError


def saved(folder: Path, name: str, inputs: str, body: str) -> Path:
    text = f"""<ir_version: 8, opset_import: ["": 18]> g ({inputs}) => (float[n,3,h,w] y)
    <float two = {{2.0}}, int64[1] ones = {{1}}> {{ {body} }}"""
    onnx.save(onnx.parser.parse_model(text), folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


IMAGE, MASK, THIRD = "float[n,3,h,w] image", "float[n,3,h,w] mask", "float[n,3,h,w] third"
BODY = "d = Mul(mask, two) y = Sub(image, d)"


def test_inputs_of_one_shape_in_another_order_are_told(tmp_path: Path) -> None:
    a, b = saved(tmp_path, "a", f"{IMAGE}, {MASK}", BODY), saved(tmp_path, "b", f"{MASK}, {IMAGE}", BODY)
    comparison = compare(from_file(a, "A"), from_file(b, "B"), backends=["onnxruntime:all"])
    assert not comparison.equal
    assert comparison.first_difference is None
    assert comparison.notes == ("inputs are swapped: A takes image, mask, and B takes them in the order mask, image",)


def test_three_inputs_are_told_in_the_order_of_b(tmp_path: Path) -> None:
    body = "d = Mul(mask, two) e = Sub(image, d) f = Mul(e, two) y = Sub(f, third)"
    a = saved(tmp_path, "a", f"{IMAGE}, {MASK}, {THIRD}", body)
    b = saved(tmp_path, "b", f"{THIRD}, {IMAGE}, {MASK}", body)
    comparison = compare(from_file(a, "A"), from_file(b, "B"), backends=["onnxruntime:all"])
    assert comparison.notes == (
        "inputs are swapped: A takes image, mask, third, and B takes them in the order third, image, mask",
    )


def test_inputs_of_other_shapes_in_another_order_are_told(tmp_path: Path) -> None:
    flat = "float[n,3] mask"
    body = "s = ReduceMean<keepdims: int = 0>(mask) y = Sub(image, s)"
    a, b = saved(tmp_path, "a", f"{IMAGE}, {flat}", body), saved(tmp_path, "b", f"{flat}, {IMAGE}", body)
    with pytest.raises(
        ParameterError, match="inputs are swapped: A takes image, mask, and B takes them in the order mask, image"
    ):
        compare(from_file(a, "A"), from_file(b, "B"), backends=["onnxruntime:all"])


def test_another_function_is_no_order(tmp_path: Path) -> None:
    a = saved(tmp_path, "a", f"{IMAGE}, {MASK}", BODY)
    b = saved(tmp_path, "b", f"{IMAGE}, {MASK}", "d = Mul(mask, two) y = Add(image, d)")
    comparison = compare(from_file(a, "A"), from_file(b, "B"), backends=["onnxruntime:all"])
    assert comparison.notes == ()
    assert comparison.first_difference is not None


def test_orders_that_give_the_same_outputs_are_no_cause(tmp_path: Path) -> None:
    a = from_file(saved(tmp_path, "a", f"{IMAGE}, {MASK}", "y = Add(image, mask)"))
    inputs = [example + n for n, example in enumerate(a.example)]
    assert swapped_inputs(ReferenceBackend(a.model), inputs, ReferenceBackend(a.model).run(inputs)) is None
