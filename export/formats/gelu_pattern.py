"""GELU, which torch's exporter writes as several operators at opset 18.

before    y = x * (1 + Erf(x / sqrt(2))) * 0.5, with the factors in any order
after     y = Gelu(x)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from math import isclose, sqrt

import onnx
from onnx import NodeProto, helper

from upconv.export.backends import Array
from upconv.export.graphs import constants_of, needed_nodes

TOLERANCE = 1e-6
"""The relative difference between a factor and its exact value that rounding to float32 explains."""


def with_gelu(graph: onnx.GraphProto) -> list[NodeProto]:
    """Return the nodes of a graph with Gelu, an operator of opset 20, in place of the operators that compute it."""
    links = _Links.of(graph)
    replaced: dict[str, NodeProto] = {}
    for node in graph.node:
        found = _argument_and_result(node, links) if node.op_type == "Erf" else None
        if found is not None:
            argument, result = found
            replaced[result] = helper.make_node("Gelu", [argument], [result], name=node.name)
    nodes = [replaced.get(node.output[0], node) for node in graph.node]
    return needed_nodes(nodes, {value.name for value in graph.output}) if replaced else nodes


@dataclass(frozen=True)
class _Links:
    """The nodes that make and read each value of a graph, and its constants."""

    makers: Mapping[str, NodeProto]
    readers: Mapping[str, list[NodeProto]]
    constants: Mapping[str, Array]
    outputs: frozenset[str]

    @classmethod
    def of(cls, graph: onnx.GraphProto) -> _Links:
        readers: dict[str, list[NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                readers[name].append(node)
        makers = {name: node for node in graph.node for name in node.output}
        return cls(makers, readers, constants_of(graph), frozenset(value.name for value in graph.output))

    def number(self, name: str) -> float | None:
        """Return the value of a constant with one number, or `None`."""
        constant = self.constants.get(name)
        return float(constant.reshape(-1)[0]) if constant is not None and constant.size == 1 else None

    def only_reader(self, name: str) -> NodeProto | None:
        """Return the node that reads a value, or `None` if there are others or the value is an output."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def scaled(self, name: str) -> tuple[str, float]:
        """Return the value and the factor of which a value is the product; its own name and 1 if it is none."""
        node = self.makers.get(name)
        if node is None or node.op_type not in ("Mul", "Div"):
            return name, 1.0
        factor = self.number(node.input[1])
        if factor:
            return node.input[0], 1 / factor if node.op_type == "Div" else factor
        factor = self.number(node.input[0]) if node.op_type == "Mul" else None
        return (node.input[1], factor) if factor else (name, 1.0)


def _argument_and_result(erf: NodeProto, links: _Links) -> tuple[str, str] | None:
    """Return the names of x and y if the node is the Erf of a GELU."""
    argument, factor = links.scaled(erf.input[0])
    add = links.only_reader(erf.output[0])
    if not isclose(factor, sqrt(0.5), rel_tol=TOLERANCE) or add is None or add.op_type != "Add":
        return None
    if 1.0 not in (links.number(name) for name in add.input):
        return None
    value, product, times = add.output[0], 1.0, 0
    while (node := links.only_reader(value)) is not None and node.op_type == "Mul" and times < 2:
        other = node.input[1] if node.input[0] == value else node.input[0]
        number = links.number(other)
        base, scale = (argument, number) if number is not None else (other, 1.0) if other == argument else links.scaled(other)
        if base != argument:
            return None
        product, times, value = product * scale, times + (number is None), node.output[0]
        if times == 1 and isclose(product, 0.5, rel_tol=TOLERANCE):
            return argument, value
    return None
