"""Rules that find likely problems of a correct graph: artefacts, other runtimes, other precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from upconv.runtime.rounding import round_up

HALF_MAX = 65504.0
"""The largest number in half precision (IEEE 754-2019, binary16)."""
HALF_TINY = 2.0**-14
"""The smallest normal number in half precision. Smaller values lose digits, and values below 2**-24 become 0."""
SPREAD = 64.0
"""The ratio of the largest filter's maximum to the median filter's, above which int8 with one scale loses most filters."""
SHOWS = 0.01
"""The signed imbalance of a kernel's phases that is visible as a pattern: two to three 8-bit steps on white."""


@dataclass(frozen=True)
class Finding:
    """A property of a graph that deserves a look."""

    rule: str
    """The stable name of the rule, for programs."""
    node: str
    """The name of the node or tensor that has the property."""
    message: str
    """The property and its consequence, in words."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.node}: {self.message}"


class Graph:
    """The nodes, inputs and constants of a model."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.inputs = list(model.graph.input)
        self.weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.used = {name for node in self.nodes for name in node.input} | {value.name for value in model.graph.output}

    def of_type(self, *types: str) -> Iterator[tuple[onnx.NodeProto, dict[str, Any]]]:
        """Return the nodes of these operator types, with their attributes."""
        for node in self.nodes:
            if node.op_type in types:
                yield node, {a.name: helper.get_attribute_value(a) for a in node.attribute}


def lint(model: onnx.ModelProto) -> tuple[Finding, ...]:
    """Return the findings of all rules, in the order of `RULES`; the initialisers must be loaded."""
    graph = Graph(model)
    return tuple(finding for rule in RULES for finding in rule(graph))


def phase_imbalance(kernel: NDArray[Any], strides: tuple[int, ...], *, signed: bool = False) -> float:
    """Return the imbalance of a ConvTranspose kernel (in, out, *k) between the phases of its strides.

    The imbalance is the largest difference between the phases' sums of absolute weights, divided by their mean; 0 means
    equal phases. With `signed`, the sums keep the signs and are taken for each output channel, which is the pattern
    that a picture of one colour shows.
    """
    taps = []
    for phase in product(*(range(stride) for stride in strides)):
        steps = (slice(first, None, stride) for first, stride in zip(phase, strides, strict=True))
        taps.append(kernel[(slice(None), slice(None), *steps)])
    within = (0, *range(2, kernel.ndim)) if signed else None
    sums = np.array([(t if signed else np.abs(t)).sum(axis=within) for t in taps])
    mean = np.abs(kernel).sum(axis=within) / len(taps)
    return float(np.max((sums.max(axis=0) - sums.min(axis=0)) / np.maximum(mean, 1e-30)))


def _overlap(graph: Graph) -> Iterator[Finding]:
    for node, attributes in graph.of_type("ConvTranspose"):
        kernel = graph.weights.get(node.input[1])
        if kernel is None:
            continue
        strides = tuple(attributes.get("strides", [1] * (kernel.ndim - 2)))
        sizes = kernel.shape[2:]
        if attributes.get("group", 1) != 1 or not any(k % s for k, s in zip(sizes, strides, strict=True)):
            continue
        imbalance, shown = phase_imbalance(kernel, strides), phase_imbalance(kernel, strides, signed=True)
        effect = "this shows as a checkerboard" if shown > SHOWS else "training has balanced it, so it hardly shows"
        yield Finding(
            "uneven-overlap",
            _name(node),
            f"a kernel of {_by(sizes)} is not a multiple of its stride of {_by(strides)}, so output pixels depend on "
            f"different numbers of taps: phases differ by {imbalance:.0%} of their mean; {effect}; a kernel of "
            f"{_by(tuple(round_up(k, s) for k, s in zip(sizes, strides, strict=True)))} has no such overlap",
        )


def _resizes(graph: Graph) -> Iterator[Finding]:
    for node, attributes in graph.of_type("Resize"):
        for reason in _ambiguities(attributes):
            yield Finding("ambiguous-resize", _name(node), reason)


def _ambiguities(attributes: dict[str, Any]) -> Iterator[str]:
    transformation = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    mode = attributes.get("mode", b"nearest").decode()
    if transformation == "pytorch_half_pixel":
        yield "runtimes disagree about pytorch_half_pixel if the output has one pixel (onnx#4275), and some compute it slowly"
    if transformation.startswith("tf_") or transformation == "half_pixel_symmetric":
        yield f"some runtimes lack the coordinate_transformation_mode {transformation}"
    if mode == "nearest" and attributes.get("nearest_mode", b"round_prefer_floor") != b"floor":
        rounding = attributes.get("nearest_mode", b"round_prefer_floor").decode()
        yield f"runtimes disagree about nearest_mode {rounding} if a position falls between two pixels"
    if mode == "cubic" and attributes.get("exclude_outside", 0):
        yield "some runtimes ignore exclude_outside"
    if attributes.get("antialias", 0):
        yield "runtimes older than opset 18, and some current ones, ignore antialias"


def _frozen(graph: Graph) -> Iterator[Finding]:
    for value in graph.inputs:
        if value.name in graph.weights:
            continue
        dims = value.type.tensor_type.shape.dim
        pinned = [f"axis {n} is {d.dim_value}" for n, d in enumerate(dims) if n != 1 and d.HasField("dim_value")]
        if len(dims) > 2 and pinned:
            yield Finding("frozen-size", value.name, f"accepts one size only: {', '.join(pinned)}")


def _unfused(graph: Graph) -> Iterator[Finding]:
    for node, _ in graph.of_type("PRelu"):
        slopes = graph.weights.get(node.input[1])
        cure = (
            "Max(x, a*x) is the same function and several times faster"
            if _in_unit(slopes)
            else "LeakyRelu is fused, if one slope is enough"
        )
        yield Finding("unfused-activation", _name(node), f"onnxruntime does not fuse PRelu into a convolution: {cure}")


def _ranges(graph: Graph) -> Iterator[Finding]:
    for name, weight in graph.weights.items():
        # A bias is skipped: a small one does not change the sum that it is added to.
        if weight.dtype != np.float32 or weight.ndim < 2 or name not in graph.used:
            continue
        largest = float(np.abs(weight).max())
        small = float(np.mean((weight != 0) & (np.abs(weight) < HALF_TINY)))
        if largest > HALF_MAX:
            yield Finding("fp16-range", name, f"holds {largest:.3g}; half precision ends at {HALF_MAX:g}")
        elif small > 0.5:
            yield Finding(
                "fp16-range", name, f"{small:.0%} of its values are below {HALF_TINY:.2g}, where half precision loses digits"
            )
    for node, _ in graph.of_type("Conv", "ConvTranspose"):
        kernel = graph.weights.get(node.input[1])
        if kernel is not None and kernel.ndim > 2:
            out = 1 if node.op_type == "ConvTranspose" else 0
            filters = np.abs(kernel).max(axis=tuple(n for n in range(kernel.ndim) if n != out))
            spread = float(filters.max() / max(float(np.median(filters)), 1e-30))
            if spread > SPREAD:
                yield Finding(
                    "int8-range",
                    _name(node),
                    f"its largest filter is {spread:.0f} times the median one; quantize it per channel, or not at all",
                )


def _unused(graph: Graph) -> Iterator[Finding]:
    for name, weight in graph.weights.items():
        if name not in graph.used:
            yield Finding("unused-initialiser", name, f"no node reads its {weight.nbytes:,} bytes")


RULES: tuple[Callable[[Graph], Iterator[Finding]], ...] = (_overlap, _resizes, _frozen, _unfused, _ranges, _unused)
"""The rules, in the order in which their findings are listed."""


def _in_unit(slopes: NDArray[Any] | None) -> bool:
    return slopes is not None and bool(((slopes >= 0) & (slopes <= 1)).all())


def _by(lengths: tuple[int, ...]) -> str:
    return "x".join(map(str, lengths))


def _name(node: onnx.NodeProto) -> str:
    return node.name or f"{node.op_type} making {node.output[0]}"
