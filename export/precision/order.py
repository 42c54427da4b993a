"""Topological order of nodes, which tools that insert nodes do not keep."""

from __future__ import annotations

import onnx
from onnxscript import ir

from upconv.export.graphs import stripped


def in_order(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the same graph with each node after those that it depends on, as the ONNX standard requires."""
    graph = ir.from_proto(model)
    ir.passes.common.TopologicalSortPass()(graph)
    return stripped(ir.to_proto(graph))
