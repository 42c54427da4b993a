"""The layers of ncnn that compute what ONNX operators do, the inverse of `sources/ncnn`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from upconv.export.backends import Array
from upconv.export.formats.ncnn_layouts import matrix_product, permuted, reshaped
from upconv.export.formats.ncnn_norms import batch_norm, instance_norm, layer_norm
from upconv.export.formats.ncnn_operator import OnnxOperator, WrittenLayer

UNTIL_END = -233
"""The end of a cut that keeps the rest of an axis."""


def layer_of(operator: OnnxOperator) -> WrittenLayer:
    """Return the layer that computes an operator; raises `ExportError` if there is none."""
    handler = HANDLERS.get(operator.node.op_type)
    if handler is None:
        raise operator.refused()
    return handler(operator)


def _convolution(operator: OnnxOperator) -> WrittenLayer:
    weight, bias, given = operator.constant(1), operator.constant(2), operator.attributes
    if weight is None or weight.ndim != 4:
        raise operator.refused("has no constant weights with two spatial axes")
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise operator.refused("pads automatically")
    groups, transposed = given.get("group", 1), operator.node.op_type == "ConvTranspose"
    if transposed and "output_shape" in given:
        raise operator.refused("states its output shape")
    ordered = _by_filters(weight, groups) if transposed else weight
    filters, _, height, width = ordered.shape
    pads, strides = given.get("pads", [0] * 4), given.get("strides", [1, 1])
    dilations, extra = given.get("dilations", [1, 1]), given.get("output_padding", [0, 0])
    parameters = {0: filters, 1: width, 11: height, 2: dilations[1], 12: dilations[0], 3: strides[1], 13: strides[0]}
    parameters |= {4: pads[1], 15: pads[3], 14: pads[0], 16: pads[2], 5: int(bias is not None), 6: weight.size}
    parameters |= ({7: groups} if groups > 1 else {}) | ({18: extra[1], 19: extra[0]} if transposed else {})
    kind = ("Deconvolution" if transposed else "Convolution") + ("DepthWise" if groups > 1 else "")
    return WrittenLayer(kind, parameters, ordered, bias)


def _by_filters(weight: Array, groups: int) -> Array:
    """Return the weights of a transposed convolution by (filters, inputs of the group, rows, columns)."""
    channels, each, height, width = weight.shape
    split = weight.reshape(groups, channels // groups, each, height, width)
    return np.swapaxes(split, 1, 2).reshape(groups * each, channels // groups, height, width)


def _binary(kind: int, reverse: int) -> Callable[[OnnxOperator], WrittenLayer]:
    def handle(operator: OnnxOperator) -> WrittenLayer:
        numbers = [c for c in operator.constants if c is not None]
        if not numbers or numbers[0].size > 1:
            return WrittenLayer("BinaryOp", {0: kind})  # larger constants are layers of their own
        first = operator.constants[0] is not None
        return WrittenLayer("BinaryOp", {0: reverse if first else kind, 1: 1, 2: float(numbers[0].reshape(-1)[0])})

    return handle


def _unary(kind: int) -> Callable[[OnnxOperator], WrittenLayer]:
    return lambda operator: WrittenLayer("UnaryOp", {0: kind})


def _named(kind: str) -> Callable[[OnnxOperator], WrittenLayer]:
    return lambda operator: WrittenLayer(kind)


def _prelu(operator: OnnxOperator) -> WrittenLayer:
    slopes = operator.constant(1)
    if slopes is None or (slopes.size > 1 and (slopes.ndim < 3 or slopes.shape[-3] != slopes.size)):
        raise operator.refused("has slopes that are not one constant per channel")
    return WrittenLayer("PReLU", {0: slopes.size}, plain=slopes)


def _clip(operator: OnnxOperator) -> WrittenLayer:
    bounds = [float(c.reshape(-1)[0]) if (c := operator.constant(n)) is not None else None for n in (1, 2)]
    if any(name and bound is None for name, bound in zip(operator.node.input[1:], bounds, strict=False)):
        raise operator.refused("has a bound that is not constant")
    return WrittenLayer("Clip", {n: bound for n, bound in enumerate(bounds) if bound is not None})


def _concat(operator: OnnxOperator) -> WrittenLayer:
    return WrittenLayer("Concat", {0: operator.axis(operator.attributes["axis"])})


def _split(operator: OnnxOperator) -> WrittenLayer:
    lengths, axis = operator.constant(1), operator.axis(operator.attributes.get("axis", 0))
    count = len(operator.node.output)
    if lengths is None and len(operator.node.input) > 1:
        raise operator.refused("has lengths that are not constant")
    return WrittenLayer("Slice", {0: [UNTIL_END] * count if lengths is None else [int(n) for n in lengths], 1: axis})


def _slice(operator: OnnxOperator) -> WrittenLayer:
    starts, ends, axes, steps = (operator.constant(n) for n in range(1, 5))
    if starts is None or ends is None or axes is None or (steps is not None and (steps != 1).any()):
        raise operator.refused("has bounds that are not constant, or a step other than 1")
    if (ends == 0).any():
        raise operator.refused("keeps nothing")
    stops = [int(n) if n < 2**31 - 1 else UNTIL_END for n in ends]
    return WrittenLayer("Crop", {9: [int(n) for n in starts], 10: stops, 11: [operator.axis(int(n)) for n in axes]})


def _shuffle(operator: OnnxOperator) -> WrittenLayer:
    mode = operator.attributes.get("mode", b"DCR") == b"DCR"
    return WrittenLayer("PixelShuffle", {0: operator.attributes["blocksize"], 1: int(mode)})


def _unshuffle(operator: OnnxOperator) -> WrittenLayer:
    return WrittenLayer("Reorg", {0: operator.attributes["blocksize"], 1: 1})


def _resize(operator: OnnxOperator) -> WrittenLayer:
    given, scales = operator.attributes, operator.constant(2)
    kind = {b"nearest": 1, b"linear": 2, b"cubic": 3}.get(given.get("mode", b"nearest"))
    place = given.get("coordinate_transformation_mode", b"half_pixel")
    if scales is None or scales.size != 4 or (scales[:2] != 1).any():
        raise operator.refused("has no constant scales of height and width")
    if kind is None or given.get("antialias", 0) or given.get("exclude_outside", 0):
        raise operator.refused("smooths or excludes pixels, which Interp does not")
    if kind == 1 and (scales % 1).any():
        raise operator.refused("repeats pixels by a scale that is not an integer")
    if kind > 1 and place not in (b"half_pixel", b"pytorch_half_pixel", b"align_corners"):
        raise operator.refused(f"has the coordinates {place.decode()}")
    corners = {6: 1} if kind > 1 and place == b"align_corners" else {}
    return WrittenLayer("Interp", {0: kind, 1: float(scales[2]), 2: float(scales[3]), **corners})


def _pad(operator: OnnxOperator) -> WrittenLayer:
    pads, fill = operator.constant(1), operator.constant(2)
    kind = {b"constant": 0, b"edge": 1, b"reflect": 2}.get(operator.attributes.get("mode", b"constant"))
    if (
        pads is None
        or pads.size != 8
        or pads[[0, 1, 4, 5]].any()
        or (pads < 0).any()
        or kind is None
        or operator.constant(3) is not None
    ):
        raise operator.refused("does not pad height and width by constants")
    value = {} if fill is None else {5: float(fill.reshape(-1)[0])}
    return WrittenLayer("Padding", {0: int(pads[2]), 1: int(pads[6]), 2: int(pads[3]), 3: int(pads[7]), 4: kind, **value})


def _pool(operator: OnnxOperator) -> WrittenLayer:
    given, mean = operator.attributes, operator.node.op_type == "AveragePool"
    kernel, pads = given["kernel_shape"], given.get("pads", [0] * 4)
    strides = given.get("strides", [1] * len(kernel))
    unlike = (
        given.get("ceil_mode", 0) or given.get("auto_pad", b"NOTSET") != b"NOTSET" or set(given.get("dilations", [1])) != {1}
    )
    if len(kernel) != 2 or unlike:
        raise operator.refused("rounds up, pads automatically or is dilated")
    parameters = {0: int(mean), 1: kernel[1], 11: kernel[0], 2: strides[1], 12: strides[0], 5: 1}
    parameters |= {3: pads[1], 13: pads[0], 14: pads[3], 15: pads[2]}
    return WrittenLayer("Pooling", parameters | ({6: given.get("count_include_pad", 0)} if mean else {}))


def _mean_of_picture(operator: OnnxOperator) -> WrittenLayer:
    axes = operator.constant(1)
    stated = operator.attributes.get("axes") if axes is None else axes
    spatial = operator.node.op_type == "GlobalAveragePool" or (
        stated is not None and sorted(int(n) % 4 for n in stated) == [2, 3]
    )
    if not spatial or not operator.attributes.get("keepdims", 1):
        raise operator.refused("is not the mean over height and width with axes kept")
    return WrittenLayer("Pooling", {0: 1, 7: 1, 8: 1, 18: 1})


def _softmax(operator: OnnxOperator) -> WrittenLayer:
    return WrittenLayer("Softmax", {0: operator.axis(operator.attributes.get("axis", -1)), 1: 1})


def _hard_sigmoid(operator: OnnxOperator) -> WrittenLayer:
    given = operator.attributes
    return WrittenLayer("HardSigmoid", {0: float(given.get("alpha", 0.2)), 1: float(given.get("beta", 0.5))})


HANDLERS: dict[str, Callable[[OnnxOperator], WrittenLayer]] = {
    "Abs": _unary(0),
    "Add": _binary(0, 0),
    "AveragePool": _pool,
    "BatchNormalization": batch_norm,
    "Ceil": _unary(3),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Cos": _unary(10),
    "DepthToSpace": _shuffle,
    "Div": _binary(3, 8),
    "Elu": lambda operator: WrittenLayer("ELU", {0: float(operator.attributes.get("alpha", 1.0))}),
    "Exp": _unary(7),
    "Floor": _unary(2),
    "Gelu": lambda operator: WrittenLayer("GELU", {0: int(operator.attributes.get("approximate", b"none") == b"tanh")}),
    "GlobalAveragePool": _mean_of_picture,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda operator: WrittenLayer("HardSwish", {0: 1 / 6, 1: 0.5}),
    "Identity": _named("Noop"),
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "LeakyRelu": lambda operator: WrittenLayer("ReLU", {0: float(operator.attributes.get("alpha", 0.01))}),
    "Log": _unary(8),
    "MatMul": matrix_product,
    "Max": _binary(4, 4),
    "MaxPool": _pool,
    "Min": _binary(5, 5),
    "Mish": _named("Mish"),
    "Mul": _binary(2, 2),
    "Neg": _unary(1),
    "PRelu": _prelu,
    "Pad": _pad,
    "Reciprocal": _unary(15),
    "ReduceMean": _mean_of_picture,
    "Relu": _named("ReLU"),
    "Reshape": reshaped,
    "Resize": _resize,
    "Sigmoid": _named("Sigmoid"),
    "Sin": _unary(9),
    "Slice": _slice,
    "Softmax": _softmax,
    "Softplus": _named("Softplus"),
    "SpaceToDepth": _unshuffle,
    "Split": _split,
    "Sqrt": _unary(5),
    "Sub": _binary(1, 7),
    "Tanh": _named("TanH"),
    "Transpose": permuted,
}
"""The functions that return the layer of an operator, by its type."""

BINARY = frozenset({"Add", "Div", "Max", "Min", "Mul", "Sub"})
"""The operators whose larger constants become layers of their own."""
