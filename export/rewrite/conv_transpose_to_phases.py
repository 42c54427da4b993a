"""Compute a transposed convolution as one ordinary convolution for each phase of its stride.

Before:  y = ConvTranspose(x, W)                      kernel k, stride s, padding p before
After:   y[s*q + r] = Conv_r(x, W_r)[q]               r = 0 .. s-1 along each axis, results interleaved

Along one axis, output o = s*q + r gets W[t] * x[i] from all i, t with o = s*i + t - p. So t = (r + p) mod s + s*m for
m = 0, 1, ..., and i = q + floor((r + p) / s) - m: an ordinary convolution with every s-th tap, in reverse order.
All phases have the same length if s divides k - p_before - p_after + output_padding.

onnxruntime can quantize a convolution to int8 and fuse an activation into it. For a transposed convolution it can do
neither, and it spends much time on adding overlaps. `phases.py` computes the phases and joins them.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.phases import Phase, PhasesRule, Window, cheapest, with_activations
from upconv.export.rewrite.rule import Array, Rewrite, attribute, bias_of, constant, producer

Axis = tuple[int, int, int, int]
"""Stride, padding before, output length beyond stride * input in whole strides, and kernel length, along one axis."""


TRANSPOSED = 0.6
"""The time of a multiplication in a convolution, relative to one in a transposed convolution; measured, 0.45 to 0.7."""


class ConvTransposeToPhases(PhasesRule):
    """The rule for any two-dimensional ConvTranspose with constant weights."""

    def pattern(self, op: Any, x: Any) -> Any:
        return self.followed(op, op.ConvTranspose(x, _allow_other_inputs=True, _outputs=["made"]))

    def obstacle(self, made: ir.Value, **_: Any) -> str | None:
        node = producer(made)
        weight = constant(node.inputs[1])
        if weight is None or weight.ndim != 4:
            return "the weights are not constant, or not two-dimensional"
        if bias_of(node, weight.shape[1] * attribute(node, "group", 1)) is None:
            return "the bias is not constant"
        if attribute(node, "auto_pad", "NOTSET") != "NOTSET" or attribute(node, "output_shape", None) is not None:
            return "the padding depends on the output's size"
        if any(n != 1 for n in attribute(node, "dilations", [1, 1])):
            return "it is dilated"
        return self._of_axes(_axes(node, weight), weight, attribute(node, "group", 1))

    def _of_axes(self, axes: list[Axis] | None, weight: Array, groups: int) -> str | None:
        if axes is None:
            return "its phases have different sizes"
        if all(stride == 1 for stride, *_ in axes):
            return "its stride is 1"
        if any(k < s for s, _, _, k in axes):
            return "some phases have no tap"
        if cheapest(phase_windows(weight, axes, groups), groups) is None:
            return "a phase would crop its input"
        return None

    def rewrite(self, op: Any, x: ir.Value, made: ir.Value, y: ir.Value | None = None, **_: Any) -> Any:
        node = producer(made)
        weight, groups = constant(node.inputs[1]), attribute(node, "group", 1)
        assert weight is not None
        axes, bias = _axes(node, weight), bias_of(node, weight.shape[1] * groups)
        assert axes is not None and bias is not None
        return self.enlarged(op, x, phase_windows(weight, axes, groups), bias, groups, y, f"{made.name}_phases")


class ConvTransposeToFasterPhases(ConvTransposeToPhases):
    """The rule for a ConvTranspose that phases make faster in float32, as measured.

    Its kernel is larger than its stride, and its phases do not waste too many channels of a block.
    """

    def _of_axes(self, axes: list[Axis] | None, weight: Array, groups: int) -> str | None:
        reason = super()._of_axes(axes, weight, groups)
        if reason is not None or axes is None:
            return reason
        if all(kernel == stride for stride, _, _, kernel in axes):
            return "its kernel equals its stride, so nothing overlaps and phases are not faster"
        form = cheapest(phase_windows(weight, axes, groups), groups)
        cost = form.cost if isinstance(form, Window) else form or 0
        taps = weight.shape[1] * weight.shape[2] * weight.shape[3]
        return None if cost * TRANSPOSED <= taps else "so few output channels are faster transposed"


def phase_windows(weight: Array, axes: list[Axis], groups: int) -> dict[Phase, Window]:
    """Return one window for each phase."""
    windows = {}
    for r, c in product(*(range(stride) for stride, *_ in axes)):
        pads = [_pads(axis, phase) for axis, phase in zip(axes, (r, c), strict=True)]
        before, after = zip(*pads, strict=True)
        windows[r, c] = Window(phase_kernel(weight, (r, c), axes, groups), before, after)
    return windows


def phase_kernel(weight: Array, phase: tuple[int, ...], axes: list[Axis], groups: int) -> Array:
    """Return the kernel (out, in / groups, *k) of one phase of a transposed kernel (in, out / groups, *k)."""
    taps = weight
    for axis, (r, (stride, padding, _, kernel)) in enumerate(zip(phase, axes, strict=True), start=2):
        taps = np.flip(taps.take(range((r + padding) % stride, kernel, stride), axis), axis)
    grouped = taps.reshape(groups, -1, *taps.shape[1:])
    return np.ascontiguousarray(np.swapaxes(grouped, 1, 2).reshape(-1, grouped.shape[1], *taps.shape[2:]))


def _axes(node: ir.Node, weight: Array) -> list[Axis] | None:
    strides, pads = attribute(node, "strides", [1, 1]), attribute(node, "pads", [0, 0, 0, 0])
    extra = attribute(node, "output_padding", [0, 0])
    axes = []
    for axis in range(2):
        kernel, stride = weight.shape[2 + axis], strides[axis]
        gain, rest = divmod(kernel - pads[axis] - pads[axis + 2] + extra[axis] - stride, stride)
        if rest:
            return None
        axes.append((stride, pads[axis], gain, kernel))
    return axes


def _pads(axis: Axis, phase: int) -> tuple[int, int]:
    stride, padding, gain, kernel = axis
    taps = len(range((phase + padding) % stride, kernel, stride))
    base = (phase + padding) // stride
    return taps - 1 - base, gain + base


conv_transpose_to_phases = Rewrite("conv_transpose_to_phases", with_activations(ConvTransposeToFasterPhases))
every_conv_transpose_to_phases = Rewrite("every_conv_transpose_to_phases", with_activations(ConvTransposeToPhases))
