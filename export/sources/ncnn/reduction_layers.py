"""Reduction, Softmax and Normalize.

Reduction   0 operation  1 all axes  2 factor  3 axes  4 the axes stay, with length 1
Softmax     0 axis  1 axis is counted as it is today
Normalize   y = x / sqrt(sum of x^2 + epsilon) * scale; 0 over rows and columns, 4 over channels, 9 kind of epsilon
"""

from __future__ import annotations

from collections.abc import Sequence

from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, axis_of, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

OPERATIONS = {
    0: "ReduceSum",
    1: "ReduceL1",
    2: "ReduceSumSquare",
    3: "ReduceMean",
    4: "ReduceMax",
    5: "ReduceMin",
    6: "ReduceProd",
    7: "ReduceL1",
    8: "ReduceL2",
    9: "ReduceLogSum",
    10: "ReduceLogSumExp",
}
"""ONNX's operators, by the operation of Reduction."""


def reduction(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Reduction."""
    (blob,) = only(layer, inputs)
    blob, operator = graph.flat(blob), OPERATIONS.get(layer.integer(0))
    if operator is None:
        raise layer.refused(f"has the operation {layer.integer(0)}; expected 0 to 10")
    every = layer.integer(1, 1) or not layer.integers(3)
    axes = sorted({axis_of(layer, axis, blob.rank) for axis in (range(blob.rank) if every else layer.integers(3))})
    keep = layer.integer(4)
    value = _reduced(graph, operator, blob.value, axes, keep)
    shape = tuple(1 if n in axes else length for n, length in enumerate(blob.shape) if keep or n not in axes)
    if not shape:  # ncnn keeps one axis
        value, shape = graph.node("Unsqueeze", value, graph.integers([1])), (1,)
    made, factor = Blob(value, shape), layer.number(2, 1.0)
    return [made if factor == 1 else graph.like(made, "Mul", graph.floats(factor))]


def _reduced(graph: GraphBuilder, operator: str, value: str, axes: Sequence[int], keep: int) -> str:
    return graph.node(operator, value, graph.integers([axis + 1 for axis in axes]), keepdims=int(bool(keep)))


def softmax(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Softmax."""
    (blob,) = only(layer, inputs)
    if layer.integer(0) and not layer.integer(1):
        raise layer.refused("counts its axis as older versions did; convert the model again with a current tool of ncnn")
    flat = graph.flat(blob)
    return [graph.like(flat, "Softmax", axis=1 + axis_of(layer, layer.integer(0), flat.rank))]


def normalize(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Normalize."""
    (blob,) = only(layer, inputs)
    if blob.rank != 3:
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    axes = ([0] if layer.integer(4) else []) + ([1, 2] if layer.integer(0) else [])
    if not axes:
        raise layer.refused("normalizes along no axis; expected parameter 0 or 4 to be 1")
    squares = _reduced(graph, "ReduceSumSquare", blob.value, axes, 1)
    epsilon, kind = graph.floats(layer.number(2, 1e-4)), layer.integer(9)
    if kind == 1:
        norm = graph.node("Max", graph.node("Sqrt", squares), epsilon)
    else:
        norm = graph.node("Sqrt", graph.node("Add" if kind == 0 else "Max", squares, epsilon))
    count = 1 if layer.integer(1) else layer.integer(3)
    if count not in (1, blob.channels):
        raise layer.refused(f"has {count} factors, but its input has {blob.channels} channels")
    factors = graph.weights.plain(count, f"the layer {layer.name!r}")
    return [graph.like(graph.like(blob, "Div", norm), "Mul", graph.along_first(blob, factors))]


REDUCTIONS: dict[str, Handler] = {"Normalize": normalize, "Reduction": reduction, "Softmax": softmax}
"""The layers that combine numbers along axes."""
