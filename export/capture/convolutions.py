"""Translations of convolutions whose number of groups, or whose output padding, is a size of the input.

StyleGAN2 and its kind give each image of a batch its own weights: the batch becomes part of the channels, and `groups` is
the batch. `groups` of ONNX is a constant, so that the convolution becomes a product of matrices, one per group. With a
kernel of k pixels, and E the depthwise convolution whose kernels each pick one of the k pixels:

    conv(x, w)              w (co, ci * k) times E(x) (ci * k, pixels)
    conv_transpose(x, w)    E' of w' (co * k, ci) times x (ci, pixels)

E' is the transposed convolution with the kernels of E. No value changes, but for the order of sums.

`ConvTranspose2d(output_size=…)` gives an output padding that is a function of the size. Without the crop at the end,
and with the largest padding, the transposed convolution contains the output, and a Slice of its length cuts it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir
import torch
from onnxscript.function_libs.torch_lib.ops import core

from upconv.export.capture.interpolation.resize import Value, as_tensor, op

aten = torch.ops.aten


def convolution(
    input: Value,
    weight: Value,
    bias: Value,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[Any],
    groups: Any,
) -> Value:
    """Translate `aten.convolution`."""
    if not isinstance(groups, int):
        own = _transposed_per_group if transposed else _per_group
        attributes = _attributes(weight, stride, padding, dilation)
        if transposed:
            attributes["output_padding"] = _constants(output_padding)
        return own(input, weight, bias, groups, attributes)
    if not all(isinstance(extra, int) for extra in output_padding):
        return _cut(input, weight, bias, groups, output_padding, _attributes(weight, stride, padding, dilation))
    return core.aten_convolution(
        input, weight, bias, stride, padding, dilation, transposed, output_padding=output_padding, groups=groups
    )


def forward_convolution(
    input: Value,
    weight: Value,
    bias: Value = None,
    stride: Sequence[int] = (1,),
    padding: Sequence[int] = (0,),
    dilation: Sequence[int] = (1,),
    groups: Any = 1,
) -> Value:
    """Translate `aten.conv1d`, `conv2d` and `conv3d`."""
    if not isinstance(groups, int):
        return _per_group(input, weight, bias, groups, _attributes(weight, stride, padding, dilation))
    rank = len(weight.shape) - 2
    stride, padding, dilation = (_full(values, rank) for values in (stride, padding, dilation))
    original = {3: core.aten_conv1d, 4: core.aten_conv2d, 5: core.aten_conv3d}[len(weight.shape)]
    return original(input, weight, bias, stride=stride, padding=padding, dilation=dilation, groups=groups)


def _attributes(weight: Value, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]) -> dict[str, list[int]]:
    kernel = list(weight.shape[2:])
    strides, pads, dilations = (_full(values, len(kernel)) for values in (stride, padding, dilation))
    return {"kernel_shape": kernel, "strides": strides, "pads": pads * 2, "dilations": dilations}


def _full(values: Sequence[int], rank: int) -> list[int]:
    return list(values) * (rank if len(values) == 1 else 1)


def _constants(output_padding: Sequence[Any]) -> list[int]:
    if not all(isinstance(extra, int) for extra in output_padding):
        raise NotImplementedError("a transposed convolution with groups and output_size that both follow the input's size")
    return list(output_padding)


def _per_group(image: Value, weight: Value, bias: Value, groups: Value, attributes: dict[str, Any]) -> Value:
    """Write a convolution from (N, g * ci, …) with weights (g * co, ci, *kernel)."""
    kernel, channels = attributes["kernel_shape"], weight.shape[1]
    rows = channels * math.prod(kernel)
    single = op.Reshape(image, op.Concat(_whole(-1, channels), op.Shape(image, start=2), axis=0))
    picked = op.Conv(single, _picks(channels, kernel), group=channels, **attributes)
    batch, count = op.Shape(image, end=1), as_tensor([groups])
    patches = op.Reshape(picked, op.Concat(batch, count, _whole(rows, -1), axis=0))
    matrix = op.Reshape(weight, op.Concat(count, _whole(-1, rows), axis=0))
    made = op.MatMul(matrix, patches)
    return _biased(op.Reshape(made, op.Concat(batch, _whole(-1), op.Shape(picked, start=2), axis=0)), bias, len(kernel))


def _transposed_per_group(image: Value, weight: Value, bias: Value, groups: Value, attributes: dict[str, Any]) -> Value:
    """Write a transposed convolution from (N, g * ci, …) with weights (g * ci, co, *kernel)."""
    kernel, channels = attributes["kernel_shape"], weight.shape[1]
    rows = channels * math.prod(kernel)
    batch, count, sizes = op.Shape(image, end=1), as_tensor([groups]), op.Shape(image, start=2)
    pixels = op.ReduceProd(sizes, keepdims=1)
    lines = op.Reshape(image, op.Concat(batch, count, _whole(-1), pixels, axis=0))
    matrix = op.Transpose(op.Reshape(weight, op.Concat(count, _whole(-1, rows), axis=0)), perm=[0, 2, 1])
    spread = op.Reshape(op.MatMul(matrix, lines), op.Concat(_whole(-1, rows), sizes, axis=0))
    summed = op.ConvTranspose(spread, _picks(channels, kernel), group=channels, **attributes)
    return _biased(op.Reshape(summed, op.Concat(batch, _whole(-1), op.Shape(summed, start=2), axis=0)), bias, len(kernel))


def _cut(
    image: Value, weight: Value, bias: Value, groups: int, output_padding: Sequence[Any], attributes: dict[str, Any]
) -> Value:
    """Write a transposed convolution whose output padding is known for each input only."""
    kernel, strides, dilations = (np.array(attributes[name]) for name in ("kernel_shape", "strides", "dilations"))
    rank = len(kernel)
    crop = np.array(attributes["pads"][:rank])
    missing = np.maximum(0, np.maximum(strides, dilations) - 1 - crop)
    uncropped = attributes | {"pads": [*crop.tolist(), *[0] * rank], "output_padding": missing.tolist()}
    whole = op.ConvTranspose(image, weight, group=groups, **uncropped)
    fixed = dilations * (kernel - 1) + 1 - 2 * crop - strides
    length = op.Add(op.Mul(op.Shape(image, start=2), _whole(*strides)), op.Add(_whole(*fixed), as_tensor(list(output_padding))))
    cut = op.Slice(whole, _whole(*[0] * rank), length, _whole(*range(2, 2 + rank)))
    return _biased(cut, bias, rank)


def _picks(channels: int, kernel: Sequence[int]) -> Value:
    """Return the kernels of E: for each channel, one kernel per pixel that is 1 at this pixel and 0 elsewhere."""
    count = math.prod(kernel)
    one = np.eye(count, dtype=np.float32).reshape(count, 1, *kernel)
    return op.Constant(value=onnx_ir.tensor(np.tile(one, (channels, *[1] * (1 + len(kernel))))))


def _biased(image: Value, bias: Value, rank: int) -> Value:
    return image if bias is None else op.Add(image, op.Reshape(bias, _whole(1, -1, *[1] * rank)))


def _whole(*values: int) -> Value:
    return op.Constant(value_ints=[int(value) for value in values])


CONVOLUTIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.convolution.default: convolution,
    aten.conv1d.default: forward_convolution,
    aten.conv2d.default: forward_convolution,
    aten.conv3d.default: forward_convolution,
}
"""Translations by torch operator, for `custom_translation_table` of `torch.onnx.export`."""
