"""The search for properties of a correct graph that cause trouble later: artefacts, other runtimes, other precisions."""

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
"""Largest value in half precision (IEEE 754-2019, binary16)."""
HALF_TINY = 2.0**-14
"""Smallest normal value in half precision. Below it precision is lost, and below 2**-24 everything."""
SPREAD = 64.0
"""Ratio of the largest filter's weight to the median filter's from which int8 with one scale loses most filters."""
SHOWS = 0.01
"""Imbalance of a kernel's phases, summed with signs, that is visible: two to three 8-bit steps on white."""


@dataclass(frozen=True)
class Finding:
    """A property of a graph that deserves a look."""

    rule: str
    """Stable name of the rule, for programs."""
    node: str
    """Name of the operator or tensor."""
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.node}: {self.message}"


class Graph:
    """The nodes and constants of a model, indexed for the rules."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.inputs = list(model.graph.input)
        self.weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.used = {name for node in self.nodes for name in node.input} | {value.name for value in model.graph.output}

    def of_type(self, *types: str) -> Iterator[tuple[onnx.NodeProto, dict[str, Any]]]:
        """Yield the nodes of some types, with their attributes."""
        for node in self.nodes:
            if node.op_type in types:
                yield node, {a.name: helper.get_attribute_value(a) for a in node.attribute}


def lint(model: onnx.ModelProto) -> tuple[Finding, ...]:
    """Return all findings in a model, in the order of the rules. The model's weights must be loaded."""
    graph = Graph(model)
    return tuple(finding for rule in RULES for finding in rule(graph))


def phase_imbalance(kernel: NDArray[Any], strides: tuple[int, ...], *, signed: bool = False) -> float:
    """Return how unevenly a ConvTranspose kernel, (in, out, *k), feeds the phases of its strides. 0 means evenly.

    The result is the largest difference between the phases' sums of absolute weights, divided by their mean. `signed` sums
    with signs, for each output channel, which is what a picture of one colour shows.
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
        will = "will show as a checkerboard" if shown > SHOWS else "training has balanced it, so it will hardly show"
        yield Finding(
            "uneven-overlap",
            _name(node),
            f"a kernel of {_by(sizes)} is no multiple of its stride of {_by(strides)}, so output pixels are reached by "
            f"unequally many taps: phases differ by {imbalance:.0%} of their mean; it {will}; a kernel of "
            f"{_by(tuple(round_up(k, s) for k, s in zip(sizes, strides, strict=True)))} has no such overlap",
        )


def _resizes(graph: Graph) -> Iterator[Finding]:
    for node, attributes in graph.of_type("Resize"):
        for reason in _ambiguities(attributes):
            yield Finding("ambiguous-resize", _name(node), reason)


def _ambiguities(attributes: dict[str, Any]) -> Iterator[str]:
    place = attributes.get("coordinate_transformation_mode", b"half_pixel").decode()
    mode = attributes.get("mode", b"nearest").decode()
    if place == "pytorch_half_pixel":
        yield "pytorch_half_pixel is read differently by runtimes where an output has one pixel (onnx#4275), and is slower in some"
    if place.startswith("tf_") or place == "half_pixel_symmetric":
        yield f"coordinate_transformation_mode {place} is not in every runtime"
    if mode == "nearest" and attributes.get("nearest_mode", b"round_prefer_floor") != b"floor":
        yield f"nearest_mode {attributes.get('nearest_mode', b'round_prefer_floor').decode()} differs between runtimes where a place falls between two pixels"
    if mode == "cubic" and attributes.get("exclude_outside", 0):
        yield "exclude_outside is ignored by some runtimes"
    if attributes.get("antialias", 0):
        yield "antialias is ignored by runtimes older than opset 18, and by some of today's"


def _frozen(graph: Graph) -> Iterator[Finding]:
    for value in graph.inputs:
        if value.name in graph.weights:
            continue
        dims = value.type.tensor_type.shape.dim
        pinned = [f"axis {n} is {d.dim_value}" for n, d in enumerate(dims) if n != 1 and d.HasField("dim_value")]
        if len(dims) > 2 and pinned:
            yield Finding("frozen-size", value.name, f"works at one size only: {', '.join(pinned)}")


def _unfused(graph: Graph) -> Iterator[Finding]:
    for node, _ in graph.of_type("PRelu"):
        slopes = graph.weights.get(node.input[1])
        cure = (
            "Max(x, a*x) is the same function and several times faster"
            if _in_unit(slopes)
            else "LeakyRelu is fused, where one slope will do"
        )
        yield Finding("unfused-activation", _name(node), f"onnxruntime does not fuse PRelu into a convolution: {cure}")


def _ranges(graph: Graph) -> Iterator[Finding]:
    for name, weight in graph.weights.items():
        if (
            weight.dtype != np.float32 or weight.ndim < 2 or name not in graph.used
        ):  # a small bias disappears in the sum that it is added to
            continue
        largest = float(np.abs(weight).max())
        small = float(np.mean((weight != 0) & (np.abs(weight) < HALF_TINY)))
        if largest > HALF_MAX:
            yield Finding("fp16-range", name, f"holds {largest:.3g}, more than half precision can ({HALF_MAX:g})")
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
                    f"its largest filter is {spread:.0f} times the median one: quantise per channel, or not at all",
                )


def _unused(graph: Graph) -> Iterator[Finding]:
    for name, weight in graph.weights.items():
        if name not in graph.used:
            yield Finding("unused-initialiser", name, f"{weight.nbytes:,} bytes that nothing reads")


RULES: tuple[Callable[[Graph], Iterator[Finding]], ...] = (_overlap, _resizes, _frozen, _unfused, _ranges, _unused)
"""The rules, in the order in which findings are reported."""


def _in_unit(slopes: NDArray[Any] | None) -> bool:
    return slopes is not None and bool(((slopes >= 0) & (slopes <= 1)).all())


def _by(lengths: tuple[int, ...]) -> str:
    return "x".join(map(str, lengths))


def _name(node: onnx.NodeProto) -> str:
    return node.name or f"{node.op_type} making {node.output[0]}"
