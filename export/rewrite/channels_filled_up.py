"""Fill the channels between two convolutions up to a whole block, with zeros.

Before:  Conv(f(Conv(x, W, b)), V)            12 to 15 channels between; f maps zero to zero, channel by channel
After:   Conv(f(Conv(x, W', b')), V')         16 channels; those added are always zero, and so are their weights in V'

onnxruntime always computes 16 output channels together on AVX-512. If a convolution reads fewer than 16 channels,
onnxruntime rearranges its input first.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.phases import BLOCK
from upconv.export.rewrite.rule import Array, ExactRule, Rewrite, attribute, bias_of, constant, producer

FEWEST = 12
"""The fewest channels that are filled up. With fewer, too many products would have a factor of zero."""


class ChannelsFilledUp(ExactRule):
    """The rule for two convolutions, with or without an activation between them."""

    between: ClassVar[str | None] = None

    def pattern(self, op: Any, x: Any) -> Any:
        made = op.Conv(x, _allow_other_inputs=True, _outputs=["made"])
        if self.between is not None:
            made = getattr(op, self.between)(made, _allow_other_inputs=True, _outputs=["passed"])
        return op.Conv(made, _allow_other_inputs=True, _outputs=["y"])

    def obstacle(self, made: ir.Value, y: ir.Value, passed: ir.Value | None = None, **_: Any) -> str | None:
        first, second = producer(made), producer(y)
        weights = [constant(node.inputs[1]) for node in (first, second)]
        if weights[0] is None or weights[1] is None:
            return "the weights are not constant"
        if attribute(first, "group", 1) != 1 or attribute(second, "group", 1) != 1:
            return "channels are in groups"
        channels = weights[0].shape[0]
        if not FEWEST <= channels < BLOCK:
            return f"there are not {FEWEST} to {BLOCK - 1} channels between the convolutions"
        if bias_of(first, channels) is None:
            return "the bias is not constant"
        if passed is None or len(producer(passed).inputs) == 1:
            return None
        slopes = constant(producer(passed).inputs[1])
        each = slopes is not None and slopes.ndim > 2 and slopes.shape[-3] == slopes.size == channels
        return None if each else "the slopes are not one for each channel"

    def rewrite(self, op: Any, x: ir.Value, made: ir.Value, y: ir.Value, passed: ir.Value | None = None, **_: Any) -> Any:
        first, second = producer(made), producer(y)
        weight, bias = constant(first.inputs[1]), bias_of(first, 0)
        assert weight is not None and bias is not None
        bias = bias if bias.size else np.zeros(len(weight), weight.dtype)

        def filled(values: Array | None, axis: int, name: str) -> Any:
            assert values is not None
            padding = [(0, BLOCK - len(weight) if n == axis % values.ndim else 0) for n in range(values.ndim)]
            return op.initializer(ir.tensor(np.pad(values, padding)), name=f"{y.name}_{name}")

        wide = op.Conv(x, filled(weight, 0, "first"), filled(bias, 0, "bias"), **first.attributes)
        if passed is not None:
            node = producer(passed)
            slopes = [filled(constant(value), -3, "slopes") for value in node.inputs[1:]]
            wide = getattr(op, node.op_type)(wide, *slopes, **node.attributes)
        return op.Conv(wide, filled(constant(second.inputs[1]), 1, "second"), *second.inputs[2:], **second.attributes)


channels_filled_up = Rewrite(
    "channels_filled_up",
    (
        *(type(f"ChannelsFilledUp{kind}", (ChannelsFilledUp,), {"between": kind}) for kind in ("PRelu", "LeakyRelu", "Relu")),
        ChannelsFilledUp,
    ),
)
