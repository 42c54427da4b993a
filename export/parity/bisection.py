"""Bisection: the search for the first node at which two computations differ.

The search compares the outputs and every intermediate value. It starts at an output that differs and walks back through
values that differ too. The first difference is at a node that it visits and whose own inputs agree. Differing values
outside this path do not count, for example those inside a rewritten part that gives the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto

from upconv.export.backends import Array, Backend
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.parity.explanation import attributes_of, explain, written
from upconv.export.parity.known_causes import known_cause
from upconv.export.parity.matching import matched
from upconv.export.parity.trace import Values, traced
from upconv.export.verdict import error, noise_floor
from upconv.runtime.errors import ExportError


@dataclass(frozen=True)
class Difference:
    """The error of one value."""

    error: float
    """Largest absolute error; infinite if the values cannot be compared."""
    noise_floor: float

    @classmethod
    def beyond_noise(cls, exact: Array, rounded: Array, got: Array, factor: float) -> Difference | None:
        """Return the difference if it exceeds `factor` noise floors; `None` if rounding explains it."""
        floor = noise_floor(exact, rounded)
        distance = error(exact, got) if np.isfinite(got).all() else float("inf")
        return Difference(distance, floor) if distance > factor * floor else None


Differs = Callable[[Array, Array, Array], Difference | None]
"""Compares a value (third) with its float64 and float32 forms. Returns the difference, or `None` if there is none."""


@dataclass(frozen=True)
class FirstDifference:
    """The first node at which two computations differ."""

    node: str
    operator: str
    output: str
    """The name of the first value that differs."""
    attributes: dict[str, Any]
    """The attributes of the node, defaults included."""
    error: float | None
    """Largest absolute error; `None` if the shapes differ."""
    noise_floor: float | None
    """The noise floor of the value; `None` if the shapes differ."""
    explanation: tuple[str, ...]
    """One phrase for each property of the node that differs."""
    known_cause: str | None = None
    """The sentence of docs/operators.md that explains it, if there is one."""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields in types that JSON has."""
        return {**asdict(self), "attributes": {name: written(value) for name, value in self.attributes.items()}}

    def __str__(self) -> str:
        phrases = (*self.explanation, *([] if self.known_cause is None else [f"known cause: {self.known_cause}"]))
        return f"{self.operator} {self.node}: {'; '.join(phrases)}"


def between_graphs(a: onnx.ModelProto, b: onnx.ModelProto, inputs: Sequence[Array], differs: Differs) -> FirstDifference | None:
    """Return the first node at which B's graph differs from A's in float64; `None` if their outputs agree.

    Nodes are paired by their order and names. A value of B that has no pair, or that differs from its pair, still agrees
    if it equals any other value of A.
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
    for before, after in output_pairs:  # outputs correspond by their order, not by their node
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
    """Return the first node at which a runtime differs from the graph in float64, or `None`.

    The result is also `None` if the runtime cannot output intermediate values. A runtime that must output every value fuses
    fewer nodes, so a difference can disappear.
    """
    try:
        got = traced(opener, model, inputs)
    except ExportError:  # the runtime cannot output its intermediate values
        return None
    exact, rounded = (_reference(model, inputs, kind) for kind in ("float64", "float32"))
    found = {value: _difference(exact[value], rounded[value], got[value], differs) for value in _values(model.graph)}
    node = _first(model.graph, found)
    if node is None:
        return None
    finding = _finding(node, model, found, (f"{name} computes another value from inputs that agree",))
    return replace(finding, known_cause=known_cause(name, finding.operator, finding.attributes))


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
    """True if any value of A equals this value. A constant value does not count."""
    if value.size < 2 or value.dtype.kind != "f" or np.ptp(value) == 0:
        return False
    candidates = (name for name, other in exact.items() if other.shape == value.shape and other.dtype.kind == "f")
    return any(differs(exact[name], rounded[name], value) is None for name in candidates)


def _first(graph: onnx.GraphProto, found: dict[str, Difference | None]) -> NodeProto | None:
    """Return the first node with agreeing inputs that lies on a path of differing values to an output."""
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
