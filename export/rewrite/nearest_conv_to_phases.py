"""Compute a nearest-neighbour Resize and a convolution as one convolution for each phase.

Before:  y = Conv(Resize(x, nearest, s), W)          stride 1, output as large as the resized image
After:   y[s*q + r] = Conv_r(x, W_r)[q]              r = 0 .. s-1 along each axis, results interleaved

Along one axis, with kernel k and padding p before it, y[s*q + r] = sum_t W[t] * x[floor((s*q + r - p + t) / s)]
= sum_t W[t] * x[q + floor((r - p + t) / s)]. Taps t that read the same pixel add up: W_r[d] is the sum of W[t] over all t
with floor((r - p + t) / s) = d. A 3x3 kernel at s = 2 becomes four 2x2 kernels: 16 multiplications instead of 36. The
border is zero in both forms, because s pixels outside the resized image are one pixel outside the small one.

An activation that follows moves before the interleave. `phases.py` computes the phases and joins them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.phases import PhasesRule, Window, with_activations
from upconv.export.rewrite.rule import Array, Rewrite, attribute, bias_of, constant, producer


class NearestConvToPhases(PhasesRule):
    """The rule for a Conv of an image that is resized by nearest neighbours."""

    def pattern(self, op: Any, x: Any) -> Any:
        resized = op.Resize(x, _allow_other_inputs=True, _outputs=["resized"])
        return self.followed(op, op.Conv(resized, _allow_other_inputs=True, _outputs=["made"]))

    def obstacle(self, resized: ir.Value, made: ir.Value, **_: Any) -> str | None:
        conv, resize = producer(made), producer(resized)
        weight = constant(conv.inputs[1])
        if weight is None or weight.ndim != 4:
            return "the weights are not constant, or not two-dimensional"
        if bias_of(conv, weight.shape[0]) is None:
            return "the bias is not constant"
        return _of_resize(resize) or _of_conv(conv, weight.shape[2:])

    def rewrite(self, op: Any, x: ir.Value, resized: ir.Value, made: ir.Value, y: ir.Value | None = None, **_: Any) -> Any:
        conv, scales = producer(made), _scales(producer(resized))
        weight = constant(conv.inputs[1])
        assert weight is not None and scales is not None
        pads = attribute(conv, "pads", [0, 0, 0, 0])[:2]
        phases = {(r, c): phase_window(weight, (r, c), scales, pads) for r, c in product(*(range(s) for s in scales))}
        bias = bias_of(conv, weight.shape[0])
        assert bias is not None
        return self.enlarged(op, x, phases, bias, attribute(conv, "group", 1), y, f"{made.name}_phases")


def phase_window(weight: Array, phase: Sequence[int], scales: Sequence[int], pads: Sequence[int]) -> Window:
    """Return the kernel (out, in, *k) and the padding of one phase."""
    before, after, dtype = [], [], weight.dtype
    for axis, (r, s, p) in enumerate(zip(phase, scales, pads, strict=True), start=2):
        reads = np.array([(r - p + t) // s for t in range(weight.shape[axis])])
        first, last = int(reads.min()), int(reads.max())
        # The taps of each pixel are added in float64, so that the sum is rounded only once.
        sums = [weight.take(np.flatnonzero(reads == d), axis).astype(np.float64).sum(axis) for d in range(first, last + 1)]
        weight = np.stack(sums, axis)
        before.append(-first)
        after.append(last)
    return Window(weight.astype(dtype), (before[0], before[1]), (after[0], after[1]))


def _of_resize(resize: ir.Node) -> str | None:
    if attribute(resize, "mode", "nearest") != "nearest":
        return "its mode is not nearest"
    center = attribute(resize, "coordinate_transformation_mode", "half_pixel")
    rounding = attribute(resize, "nearest_mode", "round_prefer_floor")
    # For whole factors, half_pixel with rounding selects the same pixel as floor(i / s).
    if (center, rounding) not in {
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("pytorch_half_pixel", "round_prefer_floor"),
    }:
        return f"{center} with {rounding} is not floor(i / s)"
    return None if _scales(resize) else "the scales are not constant whole numbers"


def _scales(resize: ir.Node) -> tuple[int, int] | None:
    scales = constant(resize.inputs[2]) if len(resize.inputs) == 3 else None
    if scales is None or scales.size != 4 or attribute(resize, "axes", None) is not None:
        return None
    if scales[0] != 1 or scales[1] != 1 or not all(float(s).is_integer() and s >= 1 for s in scales) or (scales == 1).all():
        return None
    return int(scales[2]), int(scales[3])


def _of_conv(conv: ir.Node, kernel: Sequence[int]) -> str | None:
    if attribute(conv, "auto_pad", "NOTSET") != "NOTSET":
        return "the padding is automatic"
    if any(n != 1 for n in (*attribute(conv, "strides", [1]), *attribute(conv, "dilations", [1]))):
        return "the convolution has strides or dilation"
    pads = attribute(conv, "pads", [0, 0, 0, 0])
    same = all(pads[n] == pads[n + 2] and 2 * pads[n] == kernel[n] - 1 for n in range(2))
    return None if same else "the convolution changes the size"


nearest_conv_to_phases = Rewrite("nearest_conv_to_phases", with_activations(NearestConvToPhases))
