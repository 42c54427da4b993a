from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.parity.comparison import compare
from upconv.export.parity.subject import from_file
from upconv.runtime.errors import ContractError, SourceError


def test_a_file_without_a_contract_is_tried_for_its_sizes(without_contract: Path) -> None:
    comparison = compare(from_file(without_contract), backends=["onnxruntime:all"])
    assert comparison.equal
    assert "uniform 1x3x33x35" in comparison.inputs
    assert comparison.rows[0].measures is not None and comparison.rows[0].measures.max_8bit is None


def test_nodes_in_any_order_and_weights_of_16_bits(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["product"], ["output"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["half", "weight"], ["product"]),
        helper.make_node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
    ]
    image, output = ([helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3, "h", "w"])] for n in ("image", "output"))
    weight = numpy_helper.from_array(np.full((1, 3, 1, 1), 0.3, np.float16), "weight")
    graph = helper.make_graph(nodes, "g", image, output, [weight])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "half.onnx")
    subject = from_file(tmp_path / "half.onnx")
    assert subject.precision == "fp16"
    comparison = compare(subject, backends=["onnxruntime:all", "reference:float32"])
    assert comparison.equal
    assert all("dB" in row.said for row in comparison.rows)


def garbage(folder: Path) -> Path:
    (folder / "garbage.onnx").write_bytes(b"not a model")
    return folder / "garbage.onnx"


def spoiled_contract(folder: Path) -> Path:
    x, y = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])] for name in "xy")
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", x, y)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"upconv.contract": "{}"})
    onnx.save(model, folder / "contract.onnx")
    return folder / "contract.onnx"


@pytest.mark.parametrize(
    ("make", "kind", "sentence"),
    [
        (garbage, SourceError, "truncated or not an ONNX file"),
        (lambda folder: folder / "none.onnx", SourceError, "no model file"),
        (spoiled_contract, ContractError, "cannot be read by this version"),
    ],
)
def test_a_file_that_cannot_be_compared_is_one_sentence(
    make: Callable[[Path], Path], kind: type[Exception], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=sentence) as raised:
        from_file(make(tmp_path))
    assert "\n" not in str(raised.value)
