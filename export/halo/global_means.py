"""The means over the whole picture in a graph, and the receptive fields of a graph whose means are given.

Squeeze-and-excitation multiplies a feature map by numbers that it computes from the map's mean. Such a graph has no finite
halo. If the means are given, it has one, because a tensor that is computed from means alone is the same for every position:

    features ── mean over H and W ── Conv 1x1, Relu, Conv 1x1, Sigmoid ──╮
        ╰─────────────────────────────────────────────────────────────── Mul ──
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx

from upconv.export.graphs import constants_of
from upconv.export.halo.receptive_field import Operator, ReceptiveField, ReceptiveFields, UnboundedError, products
from upconv.runtime.contract import NoHalo

SPACE = (2, 3)
"""The axes of height and width in an (N, C, H, W) tensor."""


@dataclass(frozen=True)
class GlobalMean:
    """A mean of a feature map over height and width."""

    features: str
    """The tensor that is averaged, (N, C, H, W)."""
    mean: str
    """The tensor that holds the mean."""
    flat: bool
    """True if the mean has the shape (N, C), False for (N, C, 1, 1)."""


@dataclass(frozen=True)
class _RowMean:
    """A mean of a feature map over height or width."""

    features: str
    """The tensor that is averaged, (N, C, H, W)."""
    flat: bool
    """True if the mean has three axes, False for four."""
    left: int
    """The axis of the mean over which it must be averaged, too."""


@dataclass(frozen=True)
class PassFields:
    """The receptive fields of a graph whose means are given."""

    features: tuple[ReceptiveFields, ...]
    """Those of the averaged feature maps, in the order of `global_means`."""
    levels: tuple[int, ...]
    """The number of passes before each feature map can be computed."""
    output: ReceptiveFields
    """Those of the output."""
    products: float
    """The multiplications of the convolutions in all passes, per input pixel."""
    cost: float
    """The multiplications of all passes, as a multiple of those of the graph."""


def global_means(model: onnx.ModelProto) -> tuple[GlobalMean, ...]:
    """Return the means over height and width, in the order of the graph.

    A mean is one node, or two nodes that average one axis each.
    """
    constants = constants_of(model.graph)
    found: list[GlobalMean] = []
    rows: dict[str, _RowMean] = {}
    for node in model.graph.node:
        if node.op_type == "GlobalAveragePool":
            found.append(GlobalMean(node.input[0], node.output[0], flat=False))
        if node.op_type != "ReduceMean":
            continue
        operator = Operator(node, constants)
        flat = operator.attributes.get("keepdims") == 0
        first = rows.get(node.input[0])
        axes = _axes(operator, rank=3 if first is not None and first.flat else 4)
        if first is not None and axes == (first.left,):
            found.append(GlobalMean(first.features, node.output[0], first.flat or flat))
        elif axes == SPACE:
            found.append(GlobalMean(node.input[0], node.output[0], flat))
        elif len(axes) == 1 and axes[0] in SPACE:
            rows[node.output[0]] = _RowMean(node.input[0], flat, 2 if flat else 5 - axes[0])
    return tuple(found)


def pass_fields(model: onnx.ModelProto) -> PassFields | NoHalo:
    """Return the receptive fields of a graph whose means are given, or the first operator that has no bound even then."""
    walk = _Walk(model)
    for node in model.graph.node:
        try:
            walk.through(node)
        except UnboundedError as error:
            return NoHalo(node=node.name or f"{node.op_type} making {node.output[0]}", reason=str(error))
    output = model.graph.output[0].name
    if output not in walk.fields:
        return NoHalo(node=output, reason="it does not depend on the position in the input")
    return walk.passes(output)


class _Walk:
    """The tensors of a graph, from the input on: with a receptive field, or the same for every position."""

    def __init__(self, model: onnx.ModelProto) -> None:
        image = model.graph.input[0].name
        self._model = model
        self._constants = constants_of(model.graph)
        self._means = global_means(model)
        self._completed = {mean.mean for mean in self._means}
        rows = {node.input[0] for node in model.graph.node if node.output[0] in self._completed}
        self._averaged = self._completed | (rows - {mean.features for mean in self._means})
        self._levels = {image: 0}
        self.fields: dict[str, ReceptiveFields] = {image: (ReceptiveField(), ReceptiveField())}

    def through(self, node: onnx.NodeProto) -> None:
        """Add the outputs of a node; raises `UnboundedError` if their receptive field has no bound."""
        reads = [name for name in node.input if name in self._levels]
        if not reads or node.op_type == "Shape":
            return
        level = max(self._levels[name] for name in reads) + (node.output[0] in self._completed)
        spatial = [self.fields[name] for name in reads if name in self.fields]
        operator = Operator(node, self._constants)
        if node.output[0] not in self._averaged:
            if spatial:
                self.fields.update(dict.fromkeys(node.output, operator.after(spatial)))
            elif not _stays_uniform(operator):
                raise UnboundedError(f"{node.op_type} reads neighbours in a tensor that is computed from a mean")
        self._levels.update(dict.fromkeys(node.output, level))

    def passes(self, output: str) -> PassFields:
        """Return the fields of the averaged feature maps and of `output`, and the cost of all passes."""
        levels = tuple(self._levels[mean.features] for mean in self._means)
        passes = [
            [mean.features for mean, at in zip(self._means, levels, strict=True) if at == level]
            for level in range(max(levels) + 1)
        ]
        whole = self._products([output])
        total = whole + sum(self._products(features) for features in passes)
        cost = total / whole if whole else 1.0 + len(passes)
        return PassFields(tuple(self.fields[mean.features] for mean in self._means), levels, self.fields[output], total, cost)

    def _products(self, outputs: Collection[str]) -> float:
        """Return the multiplications per input pixel of the convolutions that `outputs` need."""
        needed, count = set(outputs), 0.0
        for node in reversed(self._model.graph.node):
            if needed.isdisjoint(node.output):
                continue
            needed.update(() if node.output[0] in self._completed else node.input)
            count += products(node, self.fields, self._constants)
        return count


def _stays_uniform(operator: Operator) -> bool:
    """Return whether an operator makes a tensor that is the same for every position from one that is."""
    if operator.type != "Conv":
        return operator.type in _UNIFORM or operator.pointwise
    kernel = operator.constant(1)
    return kernel is not None and kernel.shape[2:] == (1, 1)


def _axes(operator: Operator, rank: int) -> tuple[int, ...]:
    """Return the axes that a ReduceMean averages, ascending; empty if they are unknown or all of them."""
    stated = operator.attributes.get("axes", operator.constant(1))
    return () if stated is None else tuple(sorted(int(axis) % rank for axis in np.atleast_1d(stated)))


_UNIFORM = frozenset(
    {"Concat", "Expand", "Flatten", "Gather", "Gemm", "LogSoftmax", "MatMul", "ReduceMax", "ReduceMean", "ReduceSum"}
    | {"Reshape", "Resize", "Slice", "Softmax", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators that map tensors computed from means to tensors that are the same for every position."""
