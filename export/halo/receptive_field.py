"""The receptive field along one axis of a tensor, and the rule of each operator for it.

The value at index `i` of a tensor that is `scale` times as long as the input depends on input indices within
`[i / scale + low, i / scale + high]`. Each operator maps the bounds of its input to those of its
output:

Conv, pools     read    j = i * stride - pad + t * dilation      t = 0 .. kernel - 1
ConvTranspose   reads   j = (i + pad - t * dilation) / stride
Resize          reads   the neighbours of x = (i + 0.5) / r - 0.5
DepthToSpace    reads   j = floor(i / block)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

AXES = (2, 3)
"""The axes of height and width in an (N, C, H, W) tensor."""


class UnboundedError(Exception):
    """The receptive field has no bound: it is the whole image, or it is unknown before the graph runs."""


@dataclass(frozen=True)
class ReceptiveField:
    """The input positions that one axis of a tensor depends on."""

    scale: Fraction = Fraction(1)
    """Positions on this axis per input pixel."""
    low: Fraction = Fraction(0)
    """Lowest input index, relative to `index / scale`."""
    high: Fraction = Fraction(0)
    """Highest input index, relative to `index / scale`."""

    def through(self, rate: Fraction, low: Fraction, high: Fraction) -> ReceptiveField:
        """Return the field after an operator.

        Its output `i` reads the indices `[i / rate + low, i / rate + high]` of this tensor.
        """
        return ReceptiveField(self.scale * rate, self.low + low / self.scale, self.high + high / self.scale)

    def __or__(self, other: ReceptiveField) -> ReceptiveField:
        return ReceptiveField(self.scale, min(self.low, other.low), max(self.high, other.high))


ReceptiveFields = tuple[ReceptiveField, ReceptiveField]
"""The receptive fields along height and width."""


class Operator:
    """A node with its attributes and constant inputs."""

    def __init__(self, node: onnx.NodeProto, constants: dict[str, NDArray[Any]]) -> None:
        self.type: str = node.op_type
        self.attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        self._inputs = list(node.input)
        self._constants = constants

    def after(self, inputs: list[ReceptiveFields]) -> ReceptiveFields:
        """Return the receptive fields of the output; raises `UnboundedError` if they have no bound."""
        if self.type in _POINTWISE or (self.type in _ALONG_AXES and self._keeps_space()):
            return _union(inputs)
        rule = _RULES.get(self.type)
        if rule is None:
            raise UnboundedError(f"{self.type} can read the whole image")
        return rule(self, inputs[0][0], 0), rule(self, inputs[0][1], 1)

    @property
    def pointwise(self) -> bool:
        """True if each value of the output depends on the values of the inputs at the same position only."""
        return self.type in _POINTWISE

    def constant(self, index: int) -> NDArray[Any] | None:
        """Return the value of an input, or `None` if it is not constant."""
        return self._constants.get(self._inputs[index]) if index < len(self._inputs) else None

    def given(self, index: int) -> bool:
        """Return whether the node has this optional input."""
        return index < len(self._inputs) and bool(self._inputs[index])

    def word(self, name: str, default: str) -> str:
        """Return a string attribute."""
        value: bytes = self.attributes.get(name, default.encode())
        return value.decode()

    def window(self, axis: int) -> tuple[int, int, int, int]:
        """Return stride, padding before, dilation and kernel length along an axis.

        Raises `UnboundedError` if they are unknown before the graph runs.
        """
        if self.word("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise UnboundedError("its automatic padding depends on the size of the image")
        kernel = self.attributes.get("kernel_shape")
        if kernel is None:
            weights = self.constant(1)
            if weights is None:
                raise UnboundedError("its kernel is unknown before the graph runs")
            kernel = weights.shape[2:]
        strides, pads = self.attributes.get("strides", [1, 1]), self.attributes.get("pads", [0, 0])
        return strides[axis], pads[axis], self.attributes.get("dilations", [1, 1])[axis], kernel[axis]

    def _keeps_space(self) -> bool:
        """True if an operator that works along axes only uses the batch and channel axes."""
        axes = self.attributes.get("axes", self.attributes.get("axis"))
        if axes is None and self.type.startswith("Reduce"):
            axes = self.constant(1)
        return axes is not None and all(int(axis) in (0, 1) for axis in np.atleast_1d(axes))


def products(node: onnx.NodeProto, fields: Mapping[str, ReceptiveFields], constants: Mapping[str, NDArray[Any]]) -> float:
    """Return the multiplications of a convolution per input pixel; 0 for others, and if its size or kernel is unknown."""
    if node.op_type not in ("Conv", "ConvTranspose") or node.input[1] not in constants:
        return 0.0
    # A convolution uses each weight once per output pixel, a transposed one once per input pixel.
    place = node.output[0] if node.op_type == "Conv" else node.input[0]
    if place not in fields:
        return 0.0
    height, width = fields[place]
    return float(height.scale * width.scale) * constants[node.input[1]].size


def _union(inputs: list[ReceptiveFields]) -> ReceptiveFields:
    height, width = inputs[0]
    for other in inputs[1:]:
        if (other[0].scale, other[1].scale) != (height.scale, width.scale):
            raise UnboundedError("it combines tensors of different sizes")
        height, width = height | other[0], width | other[1]
    return height, width


def _conv(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    stride, pad, dilation, kernel = operator.window(axis)
    return field.through(Fraction(1, stride), Fraction(-pad), Fraction(dilation * (kernel - 1) - pad))


def _conv_transpose(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    if "output_shape" in operator.attributes:
        raise UnboundedError("its output size is fixed, and its padding depends on the size of the image")
    stride, pad, dilation, kernel = operator.window(axis)
    return field.through(Fraction(stride), Fraction(pad - dilation * (kernel - 1), stride), Fraction(pad, stride))


def _resize(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    scales = operator.constant(2)
    if scales is None or scales.size != 4:
        raise UnboundedError("its output size is not a fixed multiple of its input size")
    rate = Fraction(float(scales[AXES[axis]])).limit_denominator(1000)
    place = operator.word("coordinate_transformation_mode", "half_pixel")
    if place not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        raise UnboundedError(f"{place} positions depend on the size of the whole image")
    if operator.attributes.get("antialias") and rate < 1:
        raise UnboundedError("the receptive field of its antialiasing filter is not derived")
    mode = operator.word("mode", "nearest")
    if mode == "nearest" and place == "asymmetric" and operator.attributes.get("nearest_mode") == b"floor":
        return field.through(rate, Fraction(1, rate.numerator) - 1, Fraction(0))
    shift = Fraction(0) if place == "asymmetric" else (1 / rate - 1) / 2
    # x is a multiple of 1 / (2 * numerator), so the next index is at most 1 - 1 / (2 * numerator) away.
    near = 1 - Fraction(1, 2 * rate.numerator)
    taps = near + 1 if mode == "cubic" else near
    return field.through(rate, shift - taps, shift + taps)


def _depth_to_space(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    block = operator.attributes["blocksize"]
    return field.through(Fraction(block), Fraction(1, block) - 1, Fraction(0))


def _space_to_depth(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    block = operator.attributes["blocksize"]
    return field.through(Fraction(1, block), Fraction(0), Fraction(block - 1))


def _pad(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    if operator.attributes.get("mode") == b"wrap":
        raise UnboundedError("it pads the image with pixels of the opposite side")
    pads = operator.constant(1)
    if pads is None or pads.size != 8 or operator.given(3):
        raise UnboundedError("its padding is unknown before the graph runs")
    before = Fraction(int(pads[AXES[axis]]))
    return field.through(Fraction(1), -before, -before)


def _slice(operator: Operator, field: ReceptiveField, axis: int) -> ReceptiveField:
    starts, axes, steps = (operator.constant(index) for index in (1, 3, 4))
    if starts is None or (operator.given(3) and axes is None) or (operator.given(4) and steps is None):
        raise UnboundedError("its bounds are unknown before the graph runs")
    places = list(range(starts.size)) if axes is None else [int(n) % 4 for n in axes]
    if AXES[axis] not in places:
        return field
    place = places.index(AXES[axis])
    start, step = int(starts[place]), 1 if steps is None else int(steps[place])
    if start < 0 or step < 1:
        raise UnboundedError("it counts from the end, which depends on the size of the image")
    return field.through(Fraction(1, step), Fraction(start), Fraction(start))


_RULES: dict[str, Callable[[Operator, ReceptiveField, int], ReceptiveField]] = {
    "AveragePool": _conv,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "MaxPool": _conv,
    "Pad": _pad,
    "Resize": _resize,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
}

_POINTWISE = frozenset(
    {
        *(
            "Abs",
            "Add",
            "BatchNormalization",
            "Cast",
            "Ceil",
            "Clip",
            "DequantizeLinear",
            "Div",
            "Dropout",
            "Elu",
            "Erf",
            "Exp",
        ),
        *(
            "Floor",
            "Gelu",
            "HardSigmoid",
            "HardSwish",
            "Identity",
            "LeakyRelu",
            "Log",
            "Max",
            "Mean",
            "Min",
            "Mish",
            "Mul",
            "Neg",
        ),
        *("PRelu", "Pow", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt"),
        *("Sub", "Sum", "Tanh", "Where"),
    }
)
_ALONG_AXES = frozenset({"Concat", "LogSoftmax", "ReduceMax", "ReduceMean", "ReduceSum", "Softmax", "Split"})
