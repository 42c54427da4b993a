"""Equal ranges of the channels between convolutions, before a graph is quantized.

Before:  y = Conv(Relu(Conv(x, V, b)), W)
After:   y = Conv(Relu(Conv(x, V / s, b / s)), s W)              one factor s for each channel in between

A quantized tensor has one scale for all of its channels, so that a channel of small values has few steps. ReLU, sums and pooling pass
a positive factor on, so the function stays the same (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", ICCV 2019). The factors are powers of two, which change no bit of a float32 result.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from upconv.export.backends import Array, OnnxruntimeBackend

ROUNDS = 2
"""The number of times that every group of channels is balanced. A group depends on its neighbours by their common weights."""

LEAST = 1e-3
"""The smallest range of a channel, as a share of the largest one, so that an unused channel gets no huge factor."""

_HOMOGENEOUS = frozenset(("Relu", "LeakyRelu", "PRelu", "Add", "MaxPool", "AveragePool", "Identity", "Resize"))
"""The operators whose result has a factor of each channel if their operands have it."""

_AXES = {"Conv": (0, 1), "ConvTranspose": (1, 0)}
"""The axes of a weight along which its outputs and its inputs lie."""


@dataclass
class ChannelGroup:
    """Tensors whose channels have the same factors, with the convolutions that write and read them."""

    tensors: list[str]
    writers: list[onnx.NodeProto]
    readers: list[onnx.NodeProto]


class ChannelBalance:
    """A model with the groups of its channels, and their ranges on samples."""

    def __init__(self, model: onnx.ModelProto, inputs: Sequence[Sequence[Array]]) -> None:
        self._model = model
        self.groups = channel_groups(model.graph)
        """The groups that can be balanced. There may be none."""
        self._ranges = _ranges(model, [name for group in self.groups for name in group.tensors], inputs) if self.groups else {}

    def balanced(self, strength: float) -> onnx.ModelProto:
        """Return a copy of the model whose channels have similar ranges.

        `strength` is the share of the balance that goes to the tensors, from 0 to 1. The rest goes to the weights that read them.
        """
        copy = onnx.ModelProto()
        copy.CopyFrom(self._model)
        read = {name for group in self.groups for node in (*group.writers, *group.readers) for name in node.input[1:]}
        weights = {t.name: numpy_helper.to_array(t).copy() for t in copy.graph.initializer if t.name in read}
        ranges = dict(self._ranges)
        for _ in range(ROUNDS):
            for group in self.groups:
                _balance(group, ranges, weights, strength)
        for tensor in copy.graph.initializer:
            if tensor.name in weights:
                tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
        return copy


def channel_groups(graph: onnx.GraphProto) -> list[ChannelGroup]:
    """Return the groups of a graph whose channels can be balanced: each is written and read by convolutions only."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    uses = Counter(name for node in graph.node for name in node.input)
    fixed = {value.name for value in (*graph.input, *graph.output)}
    joined: dict[str, set[str]] = {}
    writers, readers = {}, defaultdict(list)

    def join(names: Sequence[str]) -> None:
        whole = set[str]().union(*(joined.get(name, {name}) for name in names))
        joined.update(dict.fromkeys(whole, whole))

    for node in graph.node:
        operands = [name for name in node.input if name and name not in shapes]
        if node.op_type in _AXES and _own_weights(node, shapes, uses):
            writers[node.output[0]] = node
            readers[node.input[0]].append(node)
            join(node.input[:1])
            join(node.output)
        elif _is_homogeneous(node, operands):
            join((*operands, node.output[0]))
        else:
            fixed.update((*operands, *node.output))
    groups = []
    for names in {id(whole): whole for whole in joined.values()}.values():
        found = ChannelGroup(sorted(names), [writers[n] for n in names if n in writers], [r for n in names for r in readers[n]])
        if found.writers and found.readers and not names & fixed and len(set(_widths(found, shapes))) == 1:
            groups.append(found)
    return sorted(groups, key=lambda group: group.tensors)


def _own_weights(node: onnx.NodeProto, shapes: dict[str, tuple[int, ...]], uses: Counter[str]) -> bool:
    """Return whether the weights of a 2-D convolution without groups are constants that no other operator reads."""
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    own = all(name in shapes and uses[name] == 1 for name in node.input[1:] if name)
    return groups == 1 and own and len(shapes[node.input[1]]) == 4


def _is_homogeneous(node: onnx.NodeProto, operands: Sequence[str]) -> bool:
    """Return whether a factor of each channel passes through. A constant operand of a sum, or a slope that is computed, does not."""
    return node.op_type in _HOMOGENEOUS and len(operands) == (2 if node.op_type == "Add" else 1)


def _widths(group: ChannelGroup, shapes: dict[str, tuple[int, ...]]) -> Iterator[int]:
    for side, nodes in enumerate((group.writers, group.readers)):
        for node in nodes:
            yield shapes[node.input[1]][_AXES[node.op_type][side]]


def _ranges(model: onnx.ModelProto, names: Sequence[str], inputs: Sequence[Sequence[Array]]) -> dict[str, Array]:
    """Return the largest absolute value of each channel of the named tensors."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    for name in names:
        copy.graph.node.append(helper.make_node("Abs", [name], [f"{name}_abs"]))
        copy.graph.node.append(helper.make_node("GlobalMaxPool", [f"{name}_abs"], [f"{name}_range"]))
        copy.graph.output.append(helper.make_tensor_value_info(f"{name}_range", onnx.TensorProto.FLOAT, None))
    runs = map(OnnxruntimeBackend(copy).run, inputs)
    return {
        name: np.max([v.max(axis=(0, 2, 3)) for v in values], axis=0)
        for name, values in zip(names, zip(*runs, strict=True), strict=True)
    }


def _balance(group: ChannelGroup, ranges: dict[str, Array], weights: dict[str, Array], strength: float) -> None:
    """Divide what is written by the factors of each channel, and multiply the weights that read it."""
    values = np.max([ranges[name] for name in group.tensors], axis=0)
    spread = np.max([_largest(weights[node.input[1]], _AXES[node.op_type][1]) for node in group.readers], axis=0)
    if not values.any() or not spread.any():
        return
    balance = np.log2(_raised(values)) * strength - np.log2(_raised(spread)) * (1 - strength)
    factors = (2.0 ** np.rint(balance - balance.mean())).astype(np.float32)
    for name in group.tensors:
        ranges[name] = ranges[name] / factors
    for node in group.writers:
        _scale(weights, node.input[1], 1 / factors, _AXES[node.op_type][0])
        for bias in node.input[2:]:
            _scale(weights, bias, 1 / factors, 0)
    for node in group.readers:
        _scale(weights, node.input[1], factors, _AXES[node.op_type][1])


def _largest(weight: Array, axis: int) -> Array:
    return np.asarray(np.abs(weight).max(axis=tuple(n for n in range(weight.ndim) if n != axis)))


def _raised(values: Array) -> Array:
    return np.asarray(np.maximum(values, values.max() * LEAST))


def _scale(weights: dict[str, Array], name: str, factors: Array, axis: int) -> None:
    shape = [-1 if n == axis else 1 for n in range(weights[name].ndim)]
    weights[name] = (weights[name] * factors.reshape(shape)).astype(np.float32)
