from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.formats import FormatOptions
from upconv.export.formats.ncnn import NcnnFormat
from upconv.export.formats.ncnn_writer import to_ncnn
from upconv.export.sources.ncnn.conversion import convert
from upconv.runtime.errors import ExportError

ATTENTION = """
    flat = Reshape(x, flat_shape)
    rows = Transpose<perm: ints = [0, 2, 1]>(flat)
    scores = MatMul(rows, flat)
    shares = Softmax<axis: int = -1>(scores)
    mixed = MatMul(shares, rows)
    back = Transpose<perm: ints = [0, 2, 1]>(mixed)
    y = Reshape(back, shape)
"""


def model(body: str, shape: str = "n,4,6,10") -> onnx.ModelProto:
    constants = (
        "int64[3] flat_shape = {0, 0, -1}, int64[4] shape = {0, 4, 6, 10}, int64[3] merged = {-1, 10, 4}, "
        f"int64[2] heads = {{-1, 240}}, float[10,2] matrix = {{{', '.join(['0.5'] * 20)}}}"
    )
    return onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]> g (float[{shape}] x) => (float[] y) <{constants}> {{ {body} }}"""
    )


def test_an_attention_of_one_size_is_the_same_in_ncnn_and_read_back(tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    picture = np.random.default_rng(0).random((2, 4, 6, 10), np.float32)
    graph = model(ATTENTION)
    (expected,) = OnnxruntimeBackend(graph, "disabled").run([picture])
    files = NcnnFormat().content(graph, FormatOptions())
    for suffix, data in files.items():
        tmp_path.joinpath(f"m{suffix}").write_bytes(data)
    (got,) = NcnnFormat().backend(tmp_path / "m", graph, FormatOptions()).run([picture])
    np.testing.assert_allclose(got, expected, atol=1e-6)
    again = convert(files[".param"], files[".bin"], [picture.shape]).model
    np.testing.assert_allclose(OnnxruntimeBackend(again, "disabled").run([picture])[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("body", "shape", "reason"),
    [
        ("y = Transpose<perm: ints = [1, 0, 2, 3]>(x)", "n,4,6,10", r"Transpose .*: it orders the axes as \[1, 0, 2, 3\]"),
        ("y = Transpose(x)", "n,4,6,10", "Transpose .* orders the axes"),
        ("s = Shape(x) y = Reshape(x, s)", "n,4,h,w", "operator Shape cannot be converted"),
        ("y = Reshape(x, merged)", "n,4,6,10", r"Reshape .*\[-1, 10, 4\], and ncnn keeps the batch"),
        ("y = Reshape(x, heads)", "n,4,h,w", "keeps the batch"),
        ("y = Reshape(x, flat_shape)", "n,4,h,w", ""),
        ("y = Reshape(x, heads)", "n,4,6,10", ""),
        ("a = Reshape(x, flat_shape) y = MatMul(a, x)", "n,4,10,4", "MatMul .* tensors with 3 and 4 axes"),
        ("y = MatMul(x, matrix)", "n,4,6,10", r"MatMul .*4 axes with a constant of the shape \(10, 2\)"),
        ("y = MatMul(matrix, x)", "n,2,6", "multiplies a constant from the left"),
        ("y = MatMul(x, matrix)", "n,6,10", ""),
    ],
)
def test_what_ncnn_does_not_arrange_is_named(body: str, shape: str, reason: str) -> None:
    if not reason:
        assert to_ncnn(model(body, shape))
        return
    with pytest.raises(ExportError, match=reason):
        to_ncnn(model(body, shape))
