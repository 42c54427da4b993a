from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from onnxscript import ir
from onnxscript.rewriter import pattern

from upconv.export.rewrite.interleave import interleaved

PHASE = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)


def upsampled(rows: int, columns: int) -> onnx.ModelProto:
    """Return a graph whose phase (r, c) is the input plus 10 * r + c."""

    def phases(op: Any, x: ir.Value) -> Any:
        def shifted(r: int, c: int) -> Any:
            return op.Add(x, op.initializer(ir.tensor(np.array([10 * r + c], np.float32)), name=f"shift_{r}_{c}"))

        made = {(r, c): shifted(r, c) for r, c in product(range(rows), range(columns))}
        return interleaved(op, made, (rows, columns), made[0, 0], "test")

    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Softplus", ["x"], ["y"])], "g", values[:1], values[1:])
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10))
    rule = pattern.RewriteRule(lambda op, x: op.Softplus(x), phases)
    assert pattern.RewriteRuleSet([rule]).apply_to_model(model) == 1
    return ir.to_proto(model)


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (3, 2), (1, 4), (4, 1), (1, 1)])
def test_each_pixel_comes_from_its_phase(rows: int, columns: int) -> None:
    session = ort.InferenceSession(upsampled(rows, columns).SerializeToString(), providers=["CPUExecutionProvider"])
    (image,) = session.run(None, {"x": PHASE})
    assert image.shape == (2, 3, 4 * rows, 5 * columns)
    for r, c in product(range(rows), range(columns)):
        np.testing.assert_array_equal(image[:, :, r::rows, c::columns], PHASE + np.float32(10 * r + c))
