"""Fold BatchNormalization, Mul and Add into the ConvTranspose before them.

Before:  y = a * (ConvTranspose(x, W) + b) + c        a, c: one number for each output channel
After:   y = ConvTranspose(x, W') + b'                W'[i, o] = a[o] * W[i, o],   b' = a * b + c

A transposed convolution is linear in its weights, channel by channel. W has shape (in, out / groups, *k): input channel
i feeds the outputs of its own group alone, so channel o of group g is scaled by a[g * out / groups + o].
BatchNormalization is a = scale / sqrt(variance + epsilon), c = shift - a * mean. onnxruntime folds none of the three.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnxscript import ir

from upconv.export.rewrite.rule import Array, ExactRule, Rewrite, attribute, bias_of, constant, producer


class _AffineIntoConvTranspose(ExactRule):
    def affine(self, after: ir.Node, channels: int, rank: int) -> tuple[Array, Array] | None:
        """Return the factor and the summand of each output channel, (channels,), or `None` if they are not constant."""
        raise NotImplementedError

    def obstacle(self, made: ir.Value, y: ir.Value, **_: Any) -> str | None:
        node = producer(made)
        weight = constant(node.inputs[1])
        if weight is None:
            return "the weights are not constant"
        channels = weight.shape[1] * attribute(node, "group", 1)
        if bias_of(node, channels) is None:
            return "the bias is not constant"
        if self.affine(producer(y), channels, weight.ndim) is None:
            return "the next operand is not one constant for each channel"
        return None

    def rewrite(self, op: Any, x: ir.Value, made: ir.Value, y: ir.Value, **_: Any) -> Any:
        node = producer(made)
        weight, groups = constant(node.inputs[1]), attribute(node, "group", 1)
        assert weight is not None
        channels = weight.shape[1] * groups
        affine, bias = self.affine(producer(y), channels, weight.ndim), bias_of(node, channels)
        assert affine is not None and bias is not None
        factor, summand = affine
        scaled = weight.reshape(groups, -1, *weight.shape[1:]) * factor.reshape(groups, 1, -1, *[1] * (weight.ndim - 2))
        return op.ConvTranspose(
            x,
            op.initializer(ir.tensor(scaled.reshape(weight.shape).astype(weight.dtype)), name=f"{y.name}_weight"),
            op.initializer(ir.tensor((factor * bias + summand).astype(weight.dtype)), name=f"{y.name}_bias"),
            **node.attributes,
        )


class BatchNormIntoConvTranspose(_AffineIntoConvTranspose):
    """The rule for BatchNormalization in inference mode."""

    def pattern(self, op: Any, x: Any) -> Any:
        made = op.ConvTranspose(x, _allow_other_inputs=True, _outputs=["made"])
        return op.BatchNormalization(made, _allow_other_inputs=True, _outputs=["y"])

    def affine(self, after: ir.Node, channels: int, rank: int) -> tuple[Array, Array] | None:
        if attribute(after, "training_mode", 0):
            return None
        values = [constant(value) for value in after.inputs[1:]]
        if any(v is None or v.shape != (channels,) for v in values):
            return None
        scale, shift, mean, variance = (v.astype(np.float64) for v in values if v is not None)
        factor = scale / np.sqrt(variance + attribute(after, "epsilon", 1e-5))
        return factor, shift - factor * mean


class _Elementwise(_AffineIntoConvTranspose):
    def value(self, after: ir.Node, channels: int, rank: int) -> Array | None:
        """Return the other operand, one number for each channel, or `None` if it is not such a constant."""
        known = [v for v in map(constant, after.inputs) if v is not None]
        if len(known) != 1 or known[0].ndim > rank:
            return None
        aligned = known[0].reshape(*[1] * (rank - known[0].ndim), *known[0].shape)
        if any(n != 1 for axis, n in enumerate(aligned.shape) if axis != 1) or aligned.shape[1] not in (1, channels):
            return None
        return np.broadcast_to(aligned.reshape(-1), (channels,)).astype(np.float64)


class MulIntoConvTranspose(_Elementwise):
    """The rule for multiplication by a constant for each channel."""

    def pattern(self, op: Any, x: Any, other: Any) -> Any:
        made = op.ConvTranspose(x, _allow_other_inputs=True, _outputs=["made"])
        return op.Mul(made, other, _outputs=["y"])

    def affine(self, after: ir.Node, channels: int, rank: int) -> tuple[Array, Array] | None:
        value = self.value(after, channels, rank)
        return None if value is None else (value, np.zeros(channels))


class AddIntoConvTranspose(_Elementwise):
    """The rule for addition of a constant for each channel."""

    def pattern(self, op: Any, x: Any, other: Any) -> Any:
        made = op.ConvTranspose(x, _allow_other_inputs=True, _outputs=["made"])
        return op.Add(made, other, _outputs=["y"])

    def affine(self, after: ir.Node, channels: int, rank: int) -> tuple[Array, Array] | None:
        value = self.value(after, channels, rank)
        return None if value is None else (np.ones(channels), value)


affine_into_conv_transpose = Rewrite(
    "affine_into_conv_transpose", (BatchNormIntoConvTranspose, MulIntoConvTranspose, AddIntoConvTranspose)
)
