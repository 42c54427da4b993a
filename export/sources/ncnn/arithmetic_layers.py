"""BinaryOp, UnaryOp and Eltwise, with ncnn's rules for blobs of different shapes.

A blob with fewer axes gets axes of length 1: behind its own, so that (C) and (C, H) fit (C, H, W); but a blob of one axis
whose length is not that of the other's first axis gets them before its own. Then axes of length 1 are repeated. See
`src/layer/binaryop.cpp` of ncnn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from upconv.export.sources.ncnn.blob import Blob, Length
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

_BINARY = {0: "Add", 1: "Sub", 2: "Mul", 3: "Div", 4: "Max", 5: "Min", 6: "Pow"}
_REVERSED = {7: "Sub", 8: "Div", 9: "Pow"}

_UNARY = {
    0: "Abs",
    1: "Neg",
    2: "Floor",
    3: "Ceil",
    5: "Sqrt",
    7: "Exp",
    8: "Log",
    9: "Sin",
    10: "Cos",
    11: "Tan",
    12: "Asin",
    13: "Acos",
    14: "Atan",
    15: "Reciprocal",
    16: "Tanh",
    18: "Round",
}
_LOG10_E = 0.4342944819032518


def binary(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert BinaryOp of two blobs, or of a blob and a number."""
    kind = layer.integer(0)
    operator = _BINARY.get(kind) or _REVERSED.get(kind)
    if operator is None:
        raise layer.refused(f"has the operation {kind}, which is not supported; known are 0 to 9")
    if layer.integer(1):
        (blob,) = only(layer, inputs)
        number = graph.floats(layer.number(2, 0.0))
        values = (number, blob.value) if kind in _REVERSED else (blob.value, number)
        return [Blob(graph.node(operator, *values), blob.shape, blob.lifted)]
    first, second = only(layer, inputs, 2)
    left, right = aligned(first, second, graph)
    pair = (right, left) if kind in _REVERSED else (left, right)
    value = graph.node(operator, *(blob.value for blob in pair))
    return [Blob(value, joined(layer, left.shape, right.shape), left.lifted)]


def aligned(left: Blob, right: Blob, graph: GraphBuilder) -> tuple[Blob, Blob]:
    """Return two blobs with the same number of axes, by ncnn's rule for the one with fewer."""
    if left.rank == right.rank:
        return (graph.lift(left), graph.lift(right)) if left.lifted or right.lifted else (left, right)
    if left.rank < right.rank:
        return _raised(left, right, graph), right
    return left, _raised(right, left, graph)


def _raised(blob: Blob, other: Blob, graph: GraphBuilder) -> Blob:
    missing = other.rank - blob.rank
    after = blob.rank > 1 or blob.channels == other.channels
    shape = (*blob.shape, *[1] * missing) if after else (*[1] * missing, *blob.shape)
    if after and blob.lifted and other.rank == 3:
        return Blob(blob.value, shape)
    start = 1 + blob.rank if after else 1
    axes = graph.integers(list(range(start, start + missing)))
    return Blob(graph.node("Unsqueeze", graph.flat(blob).value, axes), shape)


def joined(layer: NcnnLayer, left: Sequence[Length], right: Sequence[Length]) -> tuple[Length, ...]:
    """Return the shape of a result; raises `SourceError` if two lengths do not fit."""
    lengths: list[Length] = []
    for a, b in zip(left, right, strict=True):
        if a is not None and b is not None and a != b and 1 not in (a, b):
            raise layer.refused(f"combines blobs of the shapes {_shown(left)} and {_shown(right)}, which do not fit")
        lengths.append(b if a == 1 else a if b == 1 or a is not None else b)
    return tuple(lengths)


def _shown(shape: Sequence[Length]) -> str:
    return "x".join("?" if length is None else str(length) for length in shape)


def unary(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert UnaryOp."""
    (blob,) = only(layer, inputs)
    kind = layer.integer(0)
    if kind in _UNARY:
        return [graph.like(blob, _UNARY[kind])]
    composed: dict[int, Callable[[], Blob]] = {
        4: lambda: graph.like(blob, "Mul", blob.value),
        6: lambda: graph.like(graph.like(blob, "Sqrt"), "Reciprocal"),
        17: lambda: graph.like(graph.like(blob, "Log"), "Mul", graph.floats(_LOG10_E)),
        19: lambda: graph.like(graph.like(blob, "Sign"), "Mul", graph.node("Floor", graph.node("Abs", blob.value))),
    }
    if kind not in composed:
        raise layer.refused(f"has the operation {kind}, which is not supported; known are 0 to 19")
    return [composed[kind]()]


def eltwise(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Eltwise: the product, the weighted sum or the maximum of blobs of one shape."""
    operator = {0: "Mul", 1: "Add", 2: "Max"}.get(layer.integer(0))
    if operator is None:
        raise layer.refused(f"has the operation {layer.integer(0)}; expected 0, 1 or 2")
    if len(inputs) < 2:
        raise layer.refused(f"reads {len(inputs)} blobs; expected at least 2")
    factors = layer.numbers(1) if operator == "Add" else ()
    if len(factors) not in (0, len(inputs)):
        raise layer.refused(f"has {len(factors)} factors for {len(inputs)} blobs")
    lifted = any(blob.lifted for blob in inputs)
    terms = [graph.lift(blob) if lifted and blob.rank == 1 else blob for blob in inputs]
    terms = [_times(blob, factor, graph) for blob, factor in zip(terms, factors or [1.0] * len(terms), strict=True)]
    made = terms[0]
    for term in terms[1:]:
        if term.rank != made.rank:
            raise layer.refused(f"combines blobs with {made.rank} and {term.rank} axes; expected one shape")
        made = Blob(graph.node(operator, made.value, term.value), joined(layer, made.shape, term.shape), lifted)
    return [made]


def _times(blob: Blob, factor: float, graph: GraphBuilder) -> Blob:
    return blob if factor == 1 else graph.like(blob, "Mul", graph.floats(factor))


ARITHMETIC: dict[str, Handler] = {"BinaryOp": binary, "UnaryOp": unary, "Eltwise": eltwise}
"""The layers that compute with one or more blobs, number by number."""
