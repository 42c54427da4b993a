"""The differences between two corresponding nodes: operator, attributes, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, defs, helper, numpy_helper

from upconv.export.parity.trace import Values

Graph = tuple[onnx.ModelProto, Values]
"""A model and every value that it computes."""


def explain(before: NodeProto | None, after: NodeProto, a: Graph, b: Graph) -> tuple[str, ...]:
    """Return one phrase for each difference between A's node and B's node, or a phrase that there is none.

    `before` is A's node, or `None` if A has no corresponding node.
    """
    if before is None:
        return ("A has no corresponding node",)
    if before.op_type != after.op_type:
        return (f"A has {before.op_type} {before.name} instead",)
    phrases = (*_attributes(before, after, a[0], b[0]), *_inputs(before, after, a[1], b[1]))
    return phrases or ("its operator, attributes and inputs are the same in A and B",)


def attributes_of(node: NodeProto, model: onnx.ModelProto) -> dict[str, Any]:
    """Return the attributes of a node by name, defaults included."""
    version = next((entry.version for entry in model.opset_import if entry.domain == node.domain), 1)
    given = {attribute.name: _value(attribute) for attribute in node.attribute}
    try:
        schema = defs.get_schema(node.op_type, version, node.domain)
    except defs.SchemaError:
        return given
    defaults = {name: a.default_value for name, a in schema.attributes.items() if a.default_value.name}
    return {**{name: _value(value) for name, value in defaults.items()}, **given}


def written(value: Any) -> Any:
    """Return an attribute value as a type that JSON has."""
    if isinstance(value, np.ndarray):
        return value.tolist() if value.size <= 16 else f"{value.dtype} {'x'.join(map(str, value.shape))}"
    return value if isinstance(value, int | float | str | list) else str(value)


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.GraphProto):
        return f"a graph of {len(value.node)} nodes"
    return list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else value


def _attributes(before: NodeProto, after: NodeProto, a: onnx.ModelProto, b: onnx.ModelProto) -> list[str]:
    old, new = attributes_of(before, a), attributes_of(after, b)
    return [
        f"{name} is {_shown(old.get(name))} in A and {_shown(new.get(name))} in B"
        for name in sorted({*old, *new})
        if name not in old or name not in new or not np.array_equal(old[name], new[name])
    ]


def _inputs(before: NodeProto, after: NodeProto, a: Values, b: Values) -> list[str]:
    if len(before.input) != len(after.input):
        return [f"it has {len(before.input)} inputs in A and {len(after.input)} in B"]
    phrases = []
    for number, (old, new) in enumerate(zip(before.input, after.input, strict=True)):
        phrase = _input(old, new, a, b)
        if phrase is not None:
            phrases.append(f"{_role(after, number)} {new or old} {phrase}")
    return phrases


def _input(old: str, new: str, a: Values, b: Values) -> str | None:
    if old not in a or new not in b:
        return None if old not in a and new not in b else f"is only in {'A' if old in a else 'B'}"
    x, y = a[old], b[new]
    if x.shape != y.shape:
        return f"has shape {_shape(x.shape)} in A and {_shape(y.shape)} in B"
    # The last bits of float64 values depend on the order of summation.
    if x.dtype.kind not in "fiub" or np.allclose(x, y, rtol=1e-9, atol=1e-12):
        return None
    gap = np.abs(x.astype(np.float64) - y.astype(np.float64))
    place = tuple(int(n) for n in np.unravel_index(int(gap.argmax()), gap.shape))
    position = f" at {list(place)}" if place else ""
    count = int((gap > 0).sum())
    return f"differs in {count} of {gap.size} values, most{position}: {x[place]:.9g} in A and {y[place]:.9g} in B"


def _role(node: NodeProto, number: int) -> str:
    """Return the name of an input in the ONNX standard."""
    try:
        inputs = defs.get_schema(node.op_type, node.domain).inputs
    except defs.SchemaError:
        return "input"
    return str(inputs[min(number, len(inputs) - 1)].name)


def _shown(value: Any) -> str:
    return "missing" if value is None else repr(written(value))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
