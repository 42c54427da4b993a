"""The proof that an image in a graph has an even height and width for any size of the input."""

from __future__ import annotations

from onnxscript import ir

from upconv.export.rewrite.rule import attribute, constant

KEEPING = {"Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "BatchNormalization", "Mul", "Add", "Sub", "Identity"}
"""The operators whose output has the size of their largest input that is not a constant."""


def is_even(value: ir.Value) -> bool:
    """Return whether the operators before `value` prove that its height and width are even."""
    node = value.producer()
    if node is None or node.graph is None:
        return False
    known: set[ir.Value] = set()
    # A loop from the start, because recursion would be too deep for deep networks.
    for earlier in node.graph:
        if _makes_even(earlier, known):
            known.update(earlier.outputs)
        if earlier is node:
            break
    return value in known


def _makes_even(node: ir.Node, known: set[ir.Value]) -> bool:
    if node.op_type in KEEPING:
        images = [v for v in node.inputs if v is not None and constant(v) is None]
        # Along each axis, an image has the output's size or 1, and 1 is not even.
        return bool(images) and known.issuperset(images)
    if node.op_type == "Resize":
        scales = constant(node.inputs[2]) if len(node.inputs) == 3 else None
        return scales is not None and scales.size == 4 and all(float(s) % 2 == 0 for s in scales[2:])
    if node.op_type == "Reshape":
        # A Reshape to the shape of another image, as after a group norm.
        shape = None if node.inputs[1] is None else node.inputs[1].producer()
        if shape is None or shape.op_type != "Shape" or attribute(shape, "start", 0) or "end" in shape.attributes:
            return False
        return shape.inputs[0] in known
    if node.op_type == "DepthToSpace":
        return bool(attribute(node, "blocksize", 1) % 2 == 0)
    return _convolves_even(node, known)


def _convolves_even(node: ir.Node, known: set[ir.Value]) -> bool:
    weight = constant(node.inputs[1]) if node.op_type in ("Conv", "ConvTranspose") else None
    if weight is None or weight.ndim != 4 or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return False
    pads, strides = attribute(node, "pads", [0] * 4), attribute(node, "strides", [1, 1])
    dilations, extra = attribute(node, "dilations", [1, 1]), attribute(node, "output_padding", [0, 0])
    gains = [pads[n] + pads[n + 2] - dilations[n] * (weight.shape[2 + n] - 1) for n in range(2)]
    if node.op_type == "Conv":
        return all(s == 1 for s in strides) and all(g % 2 == 0 for g in gains) and node.inputs[0] in known
    if attribute(node, "output_shape", None) is not None:
        return False
    return all(s % 2 == 0 and (e + 1 - s - g) % 2 == 0 for s, g, e in zip(strides, gains, extra, strict=True))
