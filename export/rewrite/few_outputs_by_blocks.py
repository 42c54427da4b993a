"""Compute a convolution with few output channels for two by two pixels at a time.

Before:  y = Conv(x, W)                                    stride 1, kernel k, y as large as x, height and width even
After:   y = DepthToSpace(Conv(x, W', stride 2), 2)        kernel k + 1, four times the output channels

y[2i + r, 2j + c] = sum_t W[t] x[2i + r + t - p]: the window covers a block of pixels, and each pixel uses k by k taps of
it, offset by `r` and `c`. onnxruntime always computes 16 output channels together. A 3x3 convolution to 3 channels costs
9 * 16 products for each pixel and input channel, and 16 * 16 / 4 by blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.even import is_even
from upconv.export.rewrite.phases import PhasesRule, Window, stacked, with_activations
from upconv.export.rewrite.rule import Array, Rewrite, attribute, bias_of, constant, producer

WORTH = 0.75
"""The largest remaining share of the products for which the rewrite pays."""


class FewOutputsByBlocks(PhasesRule):
    """The rule for a Conv whose input provably has an even height and width."""

    def pattern(self, op: Any, x: Any) -> Any:
        return self.followed(op, op.Conv(x, _allow_other_inputs=True, _outputs=["made"]))

    def obstacle(self, x: ir.Value, made: ir.Value, **_: Any) -> str | None:
        conv = producer(made)
        weight = constant(conv.inputs[1])
        if weight is None or weight.ndim != 4 or bias_of(conv, weight.shape[0]) is None:
            return "weights or bias are not constant, or not two-dimensional"
        ones = (attribute(conv, "group", 1), *attribute(conv, "strides", [1]), *attribute(conv, "dilations", [1]))
        if any(n != 1 for n in ones) or attribute(conv, "auto_pad", "NOTSET") != "NOTSET":
            return "it has groups, strides, dilation or automatic padding"
        pads = attribute(conv, "pads", [0, 0, 0, 0])
        if any(pads[n] + pads[n + 2] != weight.shape[2 + n] - 1 for n in range(2)):
            return "it changes the size"
        before = Window(weight, (0, 0), (0, 0)).cost
        if _window(weight[:, :1], pads).cost / 4 > WORTH * before:  # the input channels do not count
            return "it has enough output channels"
        node = x.producer()
        if node is not None and node.op_type == "Resize":
            return "phases of the smaller image are faster"
        return None if is_even(x) else "the image's height and width may be odd"

    def rewrite(self, op: Any, x: ir.Value, made: ir.Value, y: ir.Value | None = None, **_: Any) -> Any:
        conv = producer(made)
        weight, pads = constant(conv.inputs[1]), attribute(conv, "pads", [0, 0, 0, 0])
        assert weight is not None
        window, bias = _window(weight, pads), bias_of(conv, weight.shape[0])
        assert bias is not None
        name = f"{made.name}_blocks"
        kernel = op.initializer(ir.tensor(window.kernel), name=f"{name}_kernel")
        biases = op.initializer(ir.tensor(np.tile(bias, 4).astype(weight.dtype)), name=f"{name}_bias")
        whole = op.Conv(x, kernel, biases, strides=[2, 2], pads=[*window.before, *window.after])
        return op.DepthToSpace(self._activated(op, whole, y), blocksize=2)


def _window(weight: Array, pads: list[int]) -> Window:
    """Return one window for the four pixels of a block, stacked as the phases of a stride of 2."""
    before, after = (pads[0], pads[1]), (pads[2], pads[3])
    pixels = {
        (r, c): Window(weight, (before[0] - r, before[1] - c), (after[0] - 1 + r, after[1] - 1 + c))
        for r in (0, 1)
        for c in (0, 1)
    }
    whole = stacked(pixels)
    return Window(np.ascontiguousarray(whole.kernel), before, after)


few_outputs_by_blocks = Rewrite("few_outputs_by_blocks", with_activations(FewOutputsByBlocks))
