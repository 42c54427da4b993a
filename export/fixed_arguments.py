"""Arguments that a graph computes from the size of the picture, replaced by constants that are right for many sizes.

A network that pads its input to a multiple of two, and cuts its output, does nothing of that for even sizes. ncnn has no padding
and no cut by a computed length, so the files that are written for it take even sizes only:

    before    Pad(x, f(height, width)), Slice(y, 0, 2 * height)
    after     x, y                        for heights and widths that are multiples of two
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import onnx
from onnx import NodeProto, numpy_helper

from upconv.export.backends import Array, OnnxruntimeBackend
from upconv.export.graphs import constants_of, needed_nodes
from upconv.export.storage import copied
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""The multiples of height and width that are tried."""
STEPS = ((2, 3), (5, 4), (7, 9))
"""The heights and widths of the trials, in multiples beyond the shortest. No two lengths are equal."""
END = 2**31 - 1
"""An end beyond every axis."""

ARGUMENTS = {"Pad": (1,), "Reshape": (1,), "Resize": (3,), "Slice": (1, 2)}
"""The inputs that state lengths, by the operator."""


@dataclass(frozen=True)
class FixedGraph:
    """A graph whose arguments are constant, and the sizes for which it computes the same function."""

    model: onnx.ModelProto
    multiple: int
    """Height and width are multiples of this, and of that of the size law."""


def with_fixed_arguments(model: onnx.ModelProto, laws: tuple[SizeLaw | None, SizeLaw | None]) -> FixedGraph:
    """Return the graph with constant arguments for the smallest multiple for which there are such.

    `laws` are the size laws of height and width. The graph stays as it is if its arguments are constant already, or if no multiple was found.
    """
    computed = _computed(model)
    height, width = laws
    if not computed or height is None or width is None or len(model.graph.input) != 1:
        return FixedGraph(model, 1)
    constants = constants_of(model.graph)
    for multiple in MULTIPLES:
        try:
            trials = [_trial(model, computed, shape) for shape in _shapes(model, (height, width), multiple)]
        except ExportError:
            continue
        found = {name: _constant(node, index, name, trials, constants) for node, index, name in computed}
        if all(value is not None for value in found.values()):
            return FixedGraph(_replaced(model, {name: value for name, value in found.items() if value is not None}), multiple)
    return FixedGraph(model, 1)


def _computed(model: onnx.ModelProto) -> list[tuple[NodeProto, int, str]]:
    """Return the nodes with an argument that is not constant, its place and its name."""
    constants = constants_of(model.graph)
    return [
        (node, index, node.input[index])
        for node in model.graph.node
        for index in ARGUMENTS.get(node.op_type, ())
        if index < len(node.input) and node.input[index] and node.input[index] not in constants
    ]


def _shapes(model: onnx.ModelProto, laws: tuple[SizeLaw, SizeLaw], multiple: int) -> list[tuple[int, ...]]:
    batch, channels, *_ = (dim.dim_value or 1 for dim in model.graph.input[0].type.tensor_type.shape.dim)
    steps = [int(np.lcm(law.multiple, multiple)) for law in laws]
    firsts = [-(-law.minimum // step) * step for law, step in zip(laws, steps, strict=True)]
    return [
        (batch, channels, *(first + count * step for first, count, step in zip(firsts, counts, steps, strict=True)))
        for counts in STEPS
    ]


@dataclass(frozen=True)
class _Trial:
    """The arguments, and the shapes of what their nodes read, for one size of the picture."""

    values: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]


def _trial(model: onnx.ModelProto, computed: Sequence[tuple[NodeProto, int, str]], shape: tuple[int, ...]) -> _Trial:
    names = list(dict.fromkeys([*(name for _, _, name in computed), *(node.input[0] for node, _, _ in computed)]))
    given = model.graph.input[0].name
    wanted = [name for name in names if name != given]
    exposed = copied(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
    picture = np.random.default_rng(0).random(shape, np.float32)
    made = dict(zip(wanted, OnnxruntimeBackend(exposed, "disabled").run([picture]), strict=True)) | {given: picture}
    return _Trial(made, {name: array.shape for name, array in made.items()})


def _constant(node: NodeProto, index: int, name: str, trials: Sequence[_Trial], constants: Mapping[str, Array]) -> Array | None:
    """Return the constant that does for all trials what the computed argument does, or `None`."""
    values = [trial.values[name] for trial in trials]
    if any(a.shape != b.shape for a, b in pairwise(values)):
        return None
    if all((a == b).all() for a, b in pairwise(values)):
        return values[0]
    lengths = [trial.shapes[node.input[0]] for trial in trials]
    rules: dict[str, Callable[[], Array | None]] = {
        "Reshape": lambda: _reshape(values, lengths),
        "Resize": lambda: _scales(values, lengths),
        "Slice": lambda: _ends(values, lengths, constants.get(node.input[3]) if len(node.input) > 3 else None),
    }
    return rules[node.op_type]() if node.op_type in rules and index == ARGUMENTS[node.op_type][-1] else None


def _reshape(values: Sequence[Array], lengths: Sequence[tuple[int, ...]]) -> Array | None:
    """Return 0 for a length that is copied, and -1 for one that differs from size to size."""
    made: list[int] = []
    for axis in range(values[0].size):
        here = [int(value[axis]) for value in values]
        copies = all(axis < len(shape) and shape[axis] == length for shape, length in zip(lengths, here, strict=True))
        made.append(0 if copies else here[0] if len(set(here)) == 1 else -1)
    return np.array(made, np.int64) if made.count(-1) <= 1 else None


def _scales(values: Sequence[Array], lengths: Sequence[tuple[int, ...]]) -> Array | None:
    """Return the scales of Resize if they are the same for all sizes."""
    scales = [(value / np.array(shape)).astype(np.float32) for value, shape in zip(values, lengths, strict=True)]
    return scales[0] if all((a == b).all() for a, b in pairwise(scales)) else None


def _ends(values: Sequence[Array], lengths: Sequence[tuple[int, ...]], axes: Array | None) -> Array | None:
    """Return the ends of a cut, with `END` for each that keeps the rest of its axis in all trials."""
    made: list[int] = []
    for place in range(values[0].size):
        axis = place if axes is None else int(axes.reshape(-1)[place])
        here = [int(value.reshape(-1)[place]) for value in values]
        rest = all(end >= shape[axis] for end, shape in zip(here, lengths, strict=True))
        if not rest and len(set(here)) > 1:
            return None
        made.append(END if rest else here[0])
    return np.array(made, np.int64)


def _replaced(model: onnx.ModelProto, found: Mapping[str, Array]) -> onnx.ModelProto:
    """Return a copy with constants in place of computed arguments, without the nodes that computed them."""
    made = copied(model)
    graph = made.graph
    names = {name: f"{name}.fixed" for name in found}
    graph.initializer.extend(numpy_helper.from_array(value, names[name]) for name, value in found.items())
    for node in graph.node:
        for index in ARGUMENTS.get(node.op_type, ()):
            if index < len(node.input) and node.input[index] in names:
                node.input[index] = names[node.input[index]]
        if node.op_type == "Resize" and len(node.input) > 3 and node.input[3] in names.values():
            node.input[2] = node.input[3]
            del node.input[3:]
    nodes = needed_nodes(graph.node, {value.name for value in graph.output})
    del graph.node[:]
    graph.node.extend(nodes)
    return made
