from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.formats.ncnn_graph import NcnnGraph, NcnnStorage
from upconv.runtime.errors import ExportError

pytest.importorskip("ncnn")


def model(operator: str = "Conv", kind: int = TensorProto.FLOAT, axes: int = 4) -> onnx.ModelProto:
    shape: list[str | int | None] = ["n", 3, *(f"size_{n}" for n in range(axes - 2))]
    weights = np.random.default_rng(0).normal(0, 0.2, (3, 3, *(3,) * (axes - 2)))
    values = [helper.make_tensor_value_info(name, kind, shape) for name in ("x", "y")]
    node = helper.make_node(operator, ["x", "w"], ["y"], pads=[1] * 2 * (axes - 2))
    stored = numpy_helper.from_array(weights.astype(helper.tensor_dtype_to_np_dtype(kind)), "w")
    graph = helper.make_graph([node], "test", values[:1], values[1:], [stored])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize(("storage", "error"), [("fp32", 1e-6), ("fp16", 2e-3), ("bf16", 2e-2)])
def test_a_batch_is_computed_in_each_storage(storage: NcnnStorage, error: float) -> None:
    x = np.random.default_rng(1).random((2, 3, 7, 9), np.float32)
    backend = NcnnGraph(model(), storage)
    assert (backend.name, backend.rounds_to) == (f"ncnn cpu {storage}", None if storage == "fp32" else storage)
    (got,), (expected,) = backend.run([x]), OnnxruntimeBackend(model()).run([x])
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= error
    assert storage == "fp32" or np.abs(got - expected).max() > 1e-5, "the storage is used"


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (model(axes=3), "batches of pictures in float32, with four axes; x has 3 in FLOAT$"),
        (model(kind=TensorProto.FLOAT16), "x has 4 in FLOAT16$"),
        (model(kind=TensorProto.DOUBLE), "x has 4 in DOUBLE$"),
    ],
)
def test_other_graphs_are_refused(graph: onnx.ModelProto, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        NcnnGraph(graph)
