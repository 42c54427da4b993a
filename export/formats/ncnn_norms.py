"""The layers of ncnn that normalize: BatchNorm, InstanceNorm and LayerNorm, with their weights in the order of ncnn."""

from __future__ import annotations

import numpy as np

from upconv.export.backends import Array
from upconv.export.formats.ncnn_operator import OnnxOperator, WrittenLayer

DEFAULT_EPSILON = 1e-5
"""The value of `epsilon` if an ONNX operator does not state it."""


def batch_norm(operator: OnnxOperator) -> WrittenLayer:
    """Return BatchNorm: slope, mean, variance and offset of each channel."""
    slope, offset, mean, variance = _weights(operator, 4)
    if operator.attributes.get("training_mode", 0):
        raise operator.refused("computes the statistics of its input, as in training")
    return WrittenLayer(
        "BatchNorm", {0: slope.size, 1: _epsilon(operator)}, plain=np.concatenate([slope, mean, variance, offset])
    )


def instance_norm(operator: OnnxOperator) -> WrittenLayer:
    """Return InstanceNorm: slope and offset of each channel of a picture."""
    if len(operator.shape) != 4:
        raise operator.refused(f"reads a tensor with {len(operator.shape)} axes, and ncnn normalizes pictures only")
    slope, offset = _weights(operator, 2)
    return WrittenLayer("InstanceNorm", {0: slope.size, 1: _epsilon(operator), 2: 1}, plain=np.concatenate([slope, offset]))


def layer_norm(operator: OnnxOperator) -> WrittenLayer:
    """Return LayerNorm over the last axis; without offsets, they are zeros."""
    rank = len(operator.shape)
    if operator.attributes.get("axis", -1) % rank != rank - 1 or rank < 3 or len(operator.node.output) > 1:
        raise operator.refused("does not normalize along the last axis only")
    weights = _weights(operator, len(operator.node.input) - 1)
    slope = weights[0]
    offset = weights[1] if len(weights) > 1 else np.zeros_like(slope)
    return WrittenLayer("LayerNorm", {0: slope.size, 1: _epsilon(operator), 2: 1}, plain=np.concatenate([slope, offset]))


def _epsilon(operator: OnnxOperator) -> float:
    return float(operator.attributes.get("epsilon", DEFAULT_EPSILON))


def _weights(operator: OnnxOperator, number: int) -> list[Array]:
    """Return the constants after the first input, each with one axis; raises `ExportError` if one is not constant."""
    weights = [np.ravel(c) for n in range(1, number + 1) if (c := operator.constant(n)) is not None]
    if len(weights) != number:
        raise operator.refused("has weights that are not constant")
    return weights
