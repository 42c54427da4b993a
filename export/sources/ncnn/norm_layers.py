"""Scale, Bias and the normalizations.

Weights along an axis are along the first axis of a blob: the channels of (C, H, W), the rows of (H, W).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upconv.export.sources.ncnn.arithmetic_layers import aligned, joined
from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, bounded, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

FROM_BLOB = -233
"""The number of factors that means: take them from the second input."""


def scale(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Scale: y = x * factor + bias, with factors from the file or from the second input."""
    if layer.integer(0) == FROM_BLOB:
        left, right = only(layer, inputs, 2)
        pair = aligned(left, right, graph)
        return [Blob(graph.node("Mul", *(b.value for b in pair)), joined(layer, *(b.shape for b in pair)), pair[0].lifted)]
    (blob,) = only(layer, inputs)
    count = _count(layer, blob)
    what = f"the layer {layer.name!r}"
    scaled = graph.like(blob, "Mul", graph.along_first(blob, graph.weights.plain(count, what)))
    if not layer.integer(1):
        return [scaled]
    return [graph.like(scaled, "Add", graph.along_first(blob, graph.weights.plain(count, what)))]


def bias(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert Bias."""
    (blob,) = only(layer, inputs)
    added = graph.weights.plain(_count(layer, blob), f"the layer {layer.name!r}")
    return [graph.like(blob, "Add", graph.along_first(blob, added))]


def batch_norm(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert BatchNorm: y = (x - mean) / sqrt(variance + epsilon) * slope + bias."""
    (blob,) = only(layer, inputs)
    count = _count(layer, blob)
    slope, mean, variance, offset = (graph.weights.plain(count, f"the layer {layer.name!r}") for _ in range(4))
    constants = [graph.floats(values) for values in (slope, offset, mean, variance)]
    return [graph.like(blob, "BatchNormalization", *constants, epsilon=layer.number(1, 0.0))]


def instance_norm(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert InstanceNorm."""
    (blob,) = only(layer, inputs)
    if blob.rank != 3 or blob.channels is None:
        raise layer.refused(f"reads a blob with {blob.rank} axes; expected channels, rows and columns")
    gamma, beta = _affine(layer, blob, blob.channels, layer.integer(0), graph, affine=2)
    return [graph.like(blob, "InstanceNormalization", graph.floats(gamma), graph.floats(beta), epsilon=layer.number(1, 1e-3))]


def group_norm(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert GroupNorm."""
    (blob,) = only(layer, inputs)
    groups, channels = bounded(layer, "groups:", layer.integer(0, 1), 1, 2**20), layer.integer(1)
    if blob.channels not in (None, channels) or channels < 1 or channels % groups:
        raise layer.refused(f"normalizes {channels} channels in {groups} groups, but its input has {blob.channels} channels")
    gamma, beta = _affine(layer, blob, channels, channels, graph, affine=3)
    blob = graph.flat(blob)
    ones, zeros = graph.floats(np.ones(groups)), graph.floats(np.zeros(groups))
    grouped = graph.node("Reshape", blob.value, graph.integers([0, groups, -1]))
    normal = graph.node("InstanceNormalization", grouped, ones, zeros, epsilon=layer.number(2, 1e-3))
    restored = Blob(graph.node("Reshape", normal, graph.node("Shape", blob.value)), blob.shape)
    scaled = graph.like(restored, "Mul", graph.along_first(blob, gamma))
    return [graph.like(scaled, "Add", graph.along_first(blob, beta))]


def layer_norm(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
    """Convert LayerNorm over the last axis, or over the last two of a blob whose sizes are fixed."""
    (blob,) = only(layer, inputs)
    blob, size = graph.flat(blob), layer.integer(0)
    last = blob.shape[-2:]
    area = None if None in last or len(last) < 2 else int(np.prod([n for n in last if n is not None]))
    axes = 2 if size != blob.shape[-1] and area == size else 1
    if blob.shape[-1] not in (None, size) and axes == 1:
        raise layer.refused(f"normalizes {size} numbers, which fit neither the last axis nor the last two of its input")
    shape = last if axes == 2 else (size,)
    what = f"the layer {layer.name!r}"
    affine = layer.integer(2, 1)
    gamma, beta = (graph.weights.plain(size, what) if affine else None for _ in range(2))
    constants = [np.ones(size) if gamma is None else gamma, np.zeros(size) if beta is None else beta]
    names = [graph.floats(np.reshape(values, [n or size for n in shape])) for values in constants]
    return [graph.like(blob, "LayerNormalization", *names, axis=-axes, epsilon=layer.number(1, 1e-3))]


def _affine(
    layer: NcnnLayer, blob: Blob, channels: int, count: int, graph: GraphBuilder, *, affine: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return factors and offsets, or ones and zeros if the parameter `affine` is 0."""
    if not layer.integer(affine, 1):
        return np.ones(channels), np.zeros(channels)
    if count != channels:
        raise layer.refused(f"normalizes {count} channels, but its input has {channels}")
    gamma = graph.weights.plain(count, f"the layer {layer.name!r}")
    return gamma, graph.weights.plain(count, f"the layer {layer.name!r}")


def _count(layer: NcnnLayer, blob: Blob) -> int:
    count = layer.integer(0)
    if blob.channels is not None and count != blob.channels:
        raise layer.refused(f"has weights for {count} channels, but its input has {blob.channels}")
    return count


NORMALIZATIONS: dict[str, Handler] = {
    "BatchNorm": batch_norm,
    "Bias": bias,
    "GroupNorm": group_norm,
    "InstanceNorm": instance_norm,
    "LayerNorm": layer_norm,
    "Scale": scale,
}
"""The layers that scale and shift along an axis, and those that normalize."""
