"""Activations of ncnn, as layers and as parts of convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from upconv.export.sources.ncnn.blob import Blob
from upconv.export.sources.ncnn.graph_builder import GraphBuilder
from upconv.export.sources.ncnn.handler import Handler, only
from upconv.export.sources.ncnn.param_file import NcnnLayer

FLOAT_MAX = 3.4e38
"""Bounds of Clip beyond this are no bounds."""


def fused(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    """Return the blob after the activation that parameters 9 and 10 state. See `src/layer/fused_activation.h` of ncnn."""
    kind, values = layer.integer(9), layer.numbers(10)
    counts = {0: 0, 1: 0, 2: 1, 3: 2, 4: 0, 5: 0, 6: 2}
    if kind not in counts or len(values) < counts[kind]:
        raise layer.refused(f"has the activation {kind} with {len(values)} values, which is not known")
    made: dict[int, Callable[[], Blob]] = {
        0: lambda: blob,
        1: lambda: _leaky(blob, graph, 0.0),
        2: lambda: _leaky(blob, graph, values[0]),
        3: lambda: _clipped(blob, graph, values[0], values[1]),
        4: lambda: graph.like(blob, "Sigmoid"),
        5: lambda: _mish(blob, graph),
        6: lambda: _hard_swish(blob, graph, values[0], values[1]),
    }
    return made[kind]()


def _leaky(blob: Blob, graph: GraphBuilder, slope: float) -> Blob:
    return graph.like(blob, "Relu") if slope == 0 else graph.like(blob, "LeakyRelu", alpha=slope)


def _clipped(blob: Blob, graph: GraphBuilder, low: float, high: float) -> Blob:
    bounds = [graph.floats(low) if low > -FLOAT_MAX else "", *([graph.floats(high)] if high < FLOAT_MAX else [])]
    return graph.like(blob, "Clip", *bounds) if any(bounds) else blob


def _mish(blob: Blob, graph: GraphBuilder) -> Blob:
    gate = graph.node("Tanh", graph.node("Softplus", blob.value))
    return graph.like(blob, "Mul", gate)


def _hard_swish(blob: Blob, graph: GraphBuilder, alpha: float, beta: float) -> Blob:
    return graph.like(blob, "Mul", graph.node("HardSigmoid", blob.value, alpha=alpha, beta=beta))


def _gelu(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    x, half, one = blob.value, graph.floats(0.5), graph.floats(1.0)
    if layer.integer(0):  # the approximation by tanh
        cube = graph.node("Mul", graph.node("Mul", graph.node("Mul", x, x), x), graph.floats(0.044715))
        inner = graph.node("Mul", graph.node("Add", x, cube), graph.floats(math.sqrt(2 / math.pi)))
        gate = graph.node("Tanh", inner)
    else:
        gate = graph.node("Erf", graph.node("Mul", x, graph.floats(math.sqrt(0.5))))
    return graph.like(graph.like(blob, "Mul", graph.node("Add", gate, one)), "Mul", half)


def _prelu(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    count = layer.integer(0)
    if count not in (1, blob.channels) and blob.channels is not None:
        raise layer.refused(f"has {count} slopes, but its input has {blob.channels} channels")
    slopes = graph.weights.plain(count, f"the layer {layer.name!r}")
    return graph.like(blob, "PRelu", graph.along_first(blob, slopes))


def _power(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    power, scale, shift = (layer.number(key, default) for key, default in ((0, 1.0), (1, 1.0), (2, 0.0)))
    return graph.like(_linear(blob, graph, scale, shift), "Pow", graph.floats(power))


def _exponential(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    base, scale, shift = (layer.number(key, default) for key, default in ((0, -1.0), (1, 1.0), (2, 0.0)))
    factor = 1.0 if base == -1 else math.log(_base(layer, base))
    return graph.like(_linear(blob, graph, scale * factor, shift * factor), "Exp")


def _logarithm(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    base, scale, shift = (layer.number(key, default) for key, default in ((0, -1.0), (1, 1.0), (2, 0.0)))
    made = graph.like(_linear(blob, graph, scale, shift), "Log")
    return made if base == -1 else graph.like(made, "Mul", graph.floats(1 / math.log(_base(layer, base))))


def _base(layer: NcnnLayer, base: float) -> float:
    if base <= 0 or base == 1:
        raise layer.refused(f"has the base {base}; expected a number above 0 other than 1")
    return base


def _linear(blob: Blob, graph: GraphBuilder, scale: float, shift: float) -> Blob:
    scaled = blob if scale == 1 else graph.like(blob, "Mul", graph.floats(scale))
    return scaled if shift == 0 else graph.like(scaled, "Add", graph.floats(shift))


def _dropout(layer: NcnnLayer, blob: Blob, graph: GraphBuilder) -> Blob:
    return _linear(blob, graph, layer.number(0, 1.0), 0.0)


def _named(operator: str) -> Callable[[NcnnLayer, Blob, GraphBuilder], Blob]:
    return lambda layer, blob, graph: graph.like(blob, operator)


_ONE: dict[str, Callable[[NcnnLayer, Blob, GraphBuilder], Blob]] = {
    "AbsVal": _named("Abs"),
    "BNLL": _named("Softplus"),
    "Clip": lambda layer, b, g: _clipped(b, g, layer.number(0, -FLOAT_MAX), layer.number(1, FLOAT_MAX)),
    "Dropout": _dropout,
    "ELU": lambda layer, b, g: g.like(b, "Elu", alpha=layer.number(0, 0.1)),
    "Exp": _exponential,
    "GELU": _gelu,
    "HardSigmoid": lambda layer, b, g: g.like(b, "HardSigmoid", alpha=layer.number(0, 0.2), beta=layer.number(1, 0.5)),
    "HardSwish": lambda layer, b, g: _hard_swish(b, g, layer.number(0, 0.2), layer.number(1, 0.5)),
    "Log": _logarithm,
    "Mish": lambda layer, b, g: _mish(b, g),
    "PReLU": _prelu,
    "Power": _power,
    "ReLU": lambda layer, b, g: _leaky(b, g, layer.number(0, 0.0)),
    "SELU": lambda layer, b, g: g.like(b, "Selu", alpha=layer.number(0, 1.67326324), gamma=layer.number(1, 1.050700987)),
    "Sigmoid": _named("Sigmoid"),
    "Softplus": _named("Softplus"),
    "Swish": lambda layer, b, g: g.like(b, "Mul", g.node("Sigmoid", b.value)),
    "TanH": _named("Tanh"),
}


def _handler(convert: Callable[[NcnnLayer, Blob, GraphBuilder], Blob]) -> Handler:
    def handle(layer: NcnnLayer, inputs: Sequence[Blob], graph: GraphBuilder) -> Sequence[Blob]:
        (blob,) = only(layer, inputs)
        return [convert(layer, blob, graph)]

    return handle


ACTIVATIONS: dict[str, Handler] = {name: _handler(convert) for name, convert in _ONE.items()}
"""The layers of one input that keep its shape."""
