"""Properties of ONNX graphs, and changes that need onnx only."""

from __future__ import annotations

import onnx

from upconv.export.sizes import Shapes
from upconv.export.storage import copied

OPSET = 18
"""The lowest opset that the exporter writes directly. onnxruntime fuses 18 to 23 alike, and older opsets run in more programs."""


def accepts(model: onnx.ModelProto, shapes: Shapes) -> bool:
    """Return `True` if the graph declares no other input lengths than these."""
    given = zip(model.graph.input, shapes, strict=True)
    return all(
        d.dim_param or d.dim_value == n for value, s in given for d, n in zip(value.type.tensor_type.shape.dim, s, strict=True)
    )


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operators that a model uses."""
    version: int = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return version


def census(model: onnx.ModelProto) -> dict[str, int]:
    """Return the number of operators of each type, by name."""
    counts: dict[str, int] = {}
    for node in model.graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return dict(sorted(counts.items()))


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without stack traces, file names and intermediate shapes, with axes named batch, height, width."""
    stripped = copied(model)
    stripped.producer_name, stripped.producer_version, stripped.doc_string = "upconv", "", ""
    del stripped.metadata_props[:]
    graph = stripped.graph
    graph.name, graph.doc_string = "upconv", ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    _name_axes(graph)
    return stripped


def _name_axes(graph: onnx.GraphProto) -> None:
    names: dict[str, str] = {}
    for value in graph.input:
        axes = value.type.tensor_type.shape.dim
        spatial = ["depth", "height", "width"][-max(0, len(axes) - 2) :] if len(axes) > 2 else ["features"]
        for dim, name in zip(axes, ["batch", "channels", *spatial], strict=False):
            if not dim.dim_param:
                continue
            if dim.dim_param not in names:
                names[dim.dim_param] = f"{name}_{value.name}" if name in names.values() else name
            dim.dim_param = names[dim.dim_param]
    for value in graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                # the contract states the output's lengths; the exporter's formula for them differs by run
                dim.dim_param = names.get(dim.dim_param, "")
