"""The search for the first node at which two computations differ, and for the explanation.

All intermediate values are compared. The search walks back from an output that differs through values that differ too.
It ends at the nodes whose own inputs agree. Values that differ elsewhere, such as inside a part that was rewritten and
returns the same result, do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto

from upconv.export.backends import Array, Backend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.explanation import attributes_of, explain, written
from upconv.export.parity.matching import matched
from upconv.export.parity.trace import Values, traced
from upconv.export.verdict import error, noise_floor
from upconv.runtime.errors import ExportError


@dataclass(frozen=True)
class Difference:
    """The size of the difference of one value."""

    error: float
    noise_floor: float

    @classmethod
    def beyond_noise(cls, exact: Array, rounded: Array, got: Array, factor: float) -> Difference | None:
        """Return the difference if it is more than `factor` noise floors, or `None` if rounding explains it."""
        floor = noise_floor(exact, rounded)
        off = error(exact, got) if np.isfinite(got).all() else float("inf")
        return Difference(off, floor) if off > factor * floor else None


Differs = Callable[[Array, Array, Array], Difference | None]
"""Compares a value in float64, the same in float32, and another value, and returns the difference or `None`."""


@dataclass(frozen=True)
class FirstDifference:
    """The first node at which two computations differ."""

    node: str
    operator: str
    output: str
    """The first value that differs."""
    attributes: dict[str, Any]
    """Attributes of the node, with defaults."""
    error: float | None
    """Largest difference, or `None` if the shapes differ."""
    noise_floor: float | None
    explanation: tuple[str, ...]
    """The differences of the node, one phrase each."""

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {**asdict(self), "attributes": {name: written(value) for name, value in self.attributes.items()}}

    def __str__(self) -> str:
        return f"{self.operator} {self.node}: {'; '.join(self.explanation)}"


def between_graphs(a: onnx.ModelProto, b: onnx.ModelProto, inputs: Sequence[Array], differs: Differs) -> FirstDifference | None:
    """Return the first node of B's graph with another result than A's, both in float64, or `None` if the outputs agree.

    Nodes are paired by their order and names. A value of B that has no pair, or differs from it, also agrees if it equals
    any other value of A.
    """
    exact, rounded = (_reference(a, inputs, kind) for kind in ("float64", "float32"))
    got = _reference(b, inputs, "float64")
    pairs = matched(a.graph, b.graph)
    found: dict[str, Difference | None] = {}
    for name in _values(b.graph):
        found[name] = _between(name, pairs, exact, rounded, got, differs)
        if found[name] is not None and _known_elsewhere(got[name], exact, rounded, differs):
            found[name] = None
    output_pairs = zip(a.graph.output, b.graph.output, strict=False)
    for before, after in output_pairs:  # outputs correspond by their order, whatever node computes them
        found[after.name] = _difference(exact[before.name], rounded[before.name], got[after.name], differs)
    node = _first(b.graph, found)
    if node is None:
        return None
    maker = {name: n for n in a.graph.node for name in n.output}
    partner = maker.get(pairs.get(node.output[0], ""))
    return _finding(node, b, found, explain(partner, node, (a, exact), (b, got)))


def in_runtime(
    name: str,
    model: onnx.ModelProto,
    opener: Callable[[onnx.ModelProto], Backend],
    inputs: Sequence[Array],
    differs: Differs,
) -> FirstDifference | None:
    """Return the first node at which a runtime differs from the graph, or `None` if no value differs once all are outputs."""
    try:
        got = traced(opener, model, inputs)
    except ExportError:  # if a runtime cannot show its values, no single node can be blamed
        return None
    exact, rounded = (_reference(model, inputs, kind) for kind in ("float64", "float32"))
    found = {value: _difference(exact[value], rounded[value], got[value], differs) for value in _values(model.graph)}
    node = _first(model.graph, found)
    return None if node is None else _finding(node, model, found, (f"{name} computes another value from inputs that agree",))


def _reference(model: onnx.ModelProto, inputs: Sequence[Array], kind: Any) -> Values:
    return traced(lambda graph: ReferenceBackend(graph, kind), model, inputs)


def _values(graph: onnx.GraphProto) -> list[str]:
    return [name for node in graph.node for name in node.output if name]


def _between(
    name: str, pairs: dict[str, str], exact: Values, rounded: Values, got: Values, differs: Differs
) -> Difference | None:
    pair = pairs.get(name)
    if pair is None:
        return Difference(float("inf"), 0.0)
    return _difference(exact[pair], rounded[pair], got[name], differs)


def _difference(exact: Array, rounded: Array, got: Array, differs: Differs) -> Difference | None:
    if exact.shape != got.shape:
        return Difference(float("inf"), 0.0)
    if exact.dtype.kind != "f":
        return None if np.array_equal(exact, got) else Difference(float("inf"), 0.0)
    return differs(exact, rounded, got)


def _known_elsewhere(value: Array, exact: Values, rounded: Values, differs: Differs) -> bool:
    """Return `True` if A computes this value somewhere. A constant value proves nothing."""
    if value.size < 2 or value.dtype.kind != "f" or np.ptp(value) == 0:
        return False
    candidates = (name for name, other in exact.items() if other.shape == value.shape and other.dtype.kind == "f")
    return any(differs(exact[name], rounded[name], value) is None for name in candidates)


def _first(graph: onnx.GraphProto, found: dict[str, Difference | None]) -> NodeProto | None:
    """Return the first node whose inputs all agree, among those that lead to a different output."""
    bad = {name for name, difference in found.items() if difference is not None}
    reached = {value.name for value in graph.output} & bad
    first = None
    for node in reversed(graph.node):
        if not reached & set(node.output):
            continue
        before = bad & set(node.input)
        reached |= before
        if not before:
            first = node
    return first


def _finding(
    node: NodeProto, model: onnx.ModelProto, found: dict[str, Difference | None], explanation: tuple[str, ...]
) -> FirstDifference:
    output = next(name for name in node.output if found.get(name) is not None)
    difference = found[output]
    assert difference is not None
    measurable = np.isfinite(difference.error)
    return FirstDifference(
        node=node.name or output,
        operator=node.op_type,
        output=output,
        attributes=attributes_of(node, model),
        error=difference.error if measurable else None,
        noise_floor=difference.noise_floor if measurable else None,
        explanation=explanation,
    )
