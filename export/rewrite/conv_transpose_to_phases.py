"""Compute a transposed convolution as one ordinary convolution for each phase of its stride, results interleaved.

Before:  y = ConvTranspose(x, W)                      kernel k, stride s, padding p before
After:   y[s*q + r] = Conv_r(x, W_r)[q]               r = 0 .. s-1 along each axis

Along one axis, output o = s*q + r gets W[t] * x[i] from all i, t with o = s*i + t - p. So t = (r + p) mod s + s*m for
m = 0, 1, ..., and i = q + floor((r + p) / s) - m: an ordinary convolution with every s-th tap, in reverse order.
All phases are equally long where s divides k - p_before - p_after + output_padding.

A convolution can be quantised to int8 and takes a fused activation, a transposed one can neither in onnxruntime.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.interleave import interleaved
from upconv.export.rewrite.rule import Array, ExactRule, Rewrite, attribute, bias_of, constant, producer

Window = tuple[int, int, int, int]
"""Stride, padding before, floor of what the output gains over stride * input in strides, and kernel, of one axis."""


class ConvTransposeToPhases(ExactRule):
    """A two-dimensional ConvTranspose with constant weights."""

    def pattern(self, op: Any, x: Any) -> Any:
        return op.ConvTranspose(x, _allow_other_inputs=True, _outputs=["y"])

    def obstacle(self, y: ir.Value, **_: Any) -> str | None:
        node = producer(y)
        weight = constant(node.inputs[1])
        if weight is None or weight.ndim != 4:
            return "the weights are not constant, or not of two dimensions"
        if bias_of(node, weight.shape[1] * attribute(node, "group", 1)) is None:
            return "the bias is not constant"
        if attribute(node, "auto_pad", "NOTSET") != "NOTSET" or attribute(node, "output_shape", None) is not None:
            return "the padding follows from the output's size"
        if any(n != 1 for n in attribute(node, "dilations", [1, 1])):
            return "it is dilated"
        windows = _windows(node, weight)
        if windows is None:
            return "its phases are of different size"
        if all(stride == 1 for stride, *_ in windows):
            return "its stride is 1"
        if any(k < s for s, _, _, k in windows):
            return "some phases have no tap"
        if any(min(_pads(w, r)) < 0 for w in windows for r in range(w[0])):
            return "a phase would crop its input"
        return None

    def rewrite(self, op: Any, x: ir.Value, y: ir.Value, **_: Any) -> Any:
        node = producer(y)
        weight, groups = constant(node.inputs[1]), attribute(node, "group", 1)
        assert weight is not None
        windows = _windows(node, weight)
        assert windows is not None
        scales = [stride for stride, *_ in windows]
        made = {}
        for phase in product(*(range(stride) for stride in scales)):
            kernel = op.initializer(
                ir.tensor(phase_kernel(weight, phase, windows, groups)), name=f"{y.name}_phase_{phase[0]}_{phase[1]}"
            )
            pads = [_pads(window, r) for window, r in zip(windows, phase, strict=True)]
            before, after = zip(*pads, strict=True)
            made[phase] = op.Conv(x, kernel, *node.inputs[2:], group=groups, pads=[*before, *after])
        return interleaved(op, made, scales, made[0, 0], f"{y.name}_interleave")


def phase_kernel(weight: Array, phase: tuple[int, ...], windows: list[Window], groups: int) -> Array:
    """The (out, in / groups, *k) kernel of one phase of a transposed convolution's (in, out / groups, *k)."""
    taps = weight
    for axis, (r, (stride, padding, _, kernel)) in enumerate(zip(phase, windows, strict=True), start=2):
        taps = np.flip(taps.take(range((r + padding) % stride, kernel, stride), axis), axis)
    grouped = taps.reshape(groups, -1, *taps.shape[1:])
    return np.ascontiguousarray(np.swapaxes(grouped, 1, 2).reshape(-1, grouped.shape[1], *taps.shape[2:]))


def _windows(node: ir.Node, weight: Array) -> list[Window] | None:
    strides, pads = attribute(node, "strides", [1, 1]), attribute(node, "pads", [0, 0, 0, 0])
    extra = attribute(node, "output_padding", [0, 0])
    windows = []
    for axis in range(2):
        kernel, stride = weight.shape[2 + axis], strides[axis]
        gain, rest = divmod(kernel - pads[axis] - pads[axis + 2] + extra[axis] - stride, stride)
        if rest:
            return None
        windows.append((stride, pads[axis], gain, kernel))
    return windows


def _pads(window: Window, phase: int) -> tuple[int, int]:
    stride, padding, gain, kernel = window
    taps = len(range((phase + padding) % stride, kernel, stride))
    base = (phase + padding) // stride
    return taps - 1 - base, gain + base


conv_transpose_to_phases = Rewrite("conv_transpose_to_phases", (ConvTransposeToPhases,))
