"""InnerProduct and MatMul.

InnerProduct    y = W x + b     W (outputs, inputs); a blob (H, W) is computed row by row, any other is flattened
MatMul          y = a b         with parameter 0 set, y = a b^T
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from upconv.export.sources.ncnn.activation_layers import fused
from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

Weights = NDArray[np.float32]


def dense(blob: Blob, weights: Weights, bias: Weights | None, graph: GraphBuilder) -> Blob:
    """Return the product of a matrix (outputs, inputs) with a blob of one axis.

    A lifted blob becomes a convolution of 1x1, which runtimes fuse with its activation.
    """
    outputs = len(weights)
    extra = [] if bias is None else [graph.floats(bias)]
    if blob.lifted:
        value = graph.node("Conv", blob.value, graph.floats(weights[:, :, None, None]), *extra)
        return Blob(value, (outputs,), lifted=True)
    return Blob(graph.node("Gemm", blob.value, graph.floats(weights), *extra, transB=1), (outputs,))


def inner_product(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert InnerProduct."""
    (blob,) = only(layer, inputs)
    if layer.integer(8):
        raise layer.refused("is quantized to int8, which cannot be exported; give the file that it was quantized from")
    outputs, size = bounded(layer, "a number of outputs of", layer.integer(0), 1, 2**24), layer.integer(2)
    count, rest = divmod(size, outputs)
    what = f"the layer {layer.name!r}"
    if rest or count < 1:
        raise layer.refused(f"has {size} weights, which do not fit {outputs} outputs")
    weights = graph.weights.tagged(size, what).reshape(outputs, count)
    bias = graph.weights.plain(outputs, what) if layer.integer(1) else None
    if blob.rank == 2 and blob.shape[1] in (None, count):
        return [fused(layer, _rows(blob, weights, bias, graph), graph)]
    known = [n for n in blob.shape if n is not None]
    if len(known) == blob.rank and int(np.prod(known)) != count:
        raise layer.refused(f"has weights for {count} inputs, but its input has {int(np.prod(known))}")
    vector = blob if blob.rank == 1 else Blob(graph.node("Flatten", blob.value, axis=1), (count,))
    return [fused(layer, dense(vector, weights, bias, graph), graph)]


def _rows(blob: Blob, weights: Weights, bias: Weights | None, graph: GraphBuilder) -> Blob:
    value = graph.node("MatMul", blob.value, graph.floats(weights.T))
    added = value if bias is None else graph.node("Add", value, graph.floats(bias))
    return Blob(added, (blob.shape[0], len(weights)))


def matmul(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert MatMul of two blobs with the same number of axes, at least two."""
    left, right = only(layer, inputs, 2)
    if left.rank != right.rank or left.rank < 2:
        raise layer.refused(f"multiplies blobs with {left.rank} and {right.rank} axes; expected equal numbers from 2 up")
    other, columns = right.value, right.shape[-1]
    if layer.integer(0):
        axes = [*range(right.rank - 1), right.rank, right.rank - 1]
        other, columns = graph.node("Transpose", other, perm=axes), right.shape[-2]
    return [Blob(graph.node("MatMul", left.value, other), (*left.shape[:-1], columns))]


MATRICES: dict[str, Handler] = {"InnerProduct": inner_product, "MatMul": matmul}
"""The layers that multiply matrices."""
