"""Nodes in the order in which they can be computed, which tools that insert nodes do not keep."""

from __future__ import annotations

import onnx
from onnxscript import ir

from upconv.export.graphs import anonymous


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, each node after those that it depends on, as the standard demands."""
    graph = ir.from_proto(model)
    ir.passes.common.TopologicalSortPass()(graph)
    return anonymous(ir.to_proto(graph))
