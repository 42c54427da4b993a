"""Properties of an ONNX graph, and functions that need only onnx."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference

from upconv.export.sizes import Shapes
from upconv.export.storage import copied, is_large

OPSET = 18
"""The lowest opset that torch's exporter writes without a conversion.

onnxruntime fuses opsets 18 to 23 alike, and more runtimes read the lower ones.
"""

QUANTIZED = frozenset({"DynamicQuantizeLinear", "QLinearConv", "QuantizeLinear"})
"""The operators of graphs in int8."""


def accepts(model: onnx.ModelProto, shapes: Shapes) -> bool:
    """Return whether the declared input shapes of the graph allow these shapes."""
    pairs = zip(model.graph.input, shapes, strict=True)
    return all(
        d.dim_param or d.dim_value == n for value, s in pairs for d, n in zip(value.type.tensor_type.shape.dim, s, strict=True)
    )


def opset_of(model: onnx.ModelProto) -> int:
    """Return the version of the standard operator set that a model uses."""
    version: int = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    return version


def constants_of(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """Return the values of all weights and constants of a graph, by name."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            constants[node.output[0]] = numpy_helper.to_array(helper.get_attribute_value(node.attribute[0]))
    return constants


def needed_nodes(nodes: Sequence[onnx.NodeProto], outputs: Collection[str]) -> list[onnx.NodeProto]:
    """Return the nodes that the outputs depend on, in their order."""
    kept, wanted = [], set(outputs)
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]


def inferred_shapes(model: onnx.ModelProto) -> dict[str, tuple[int | None, ...]]:
    """Return the shapes that onnx infers, by the name of the value; `None` for a length that is not fixed.

    Nothing is inferred for a model whose weights need a second file.
    """
    if is_large(model):
        return {}
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    known = (value for value in (*graph.input, *graph.value_info, *graph.output) if value.type.tensor_type.HasField("shape"))
    return {value.name: tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim) for value in known}


def stored_precision(model: onnx.ModelProto) -> str | None:
    """Return `int8` or `fp16` if operators or weights of a graph are of that precision, otherwise `None`."""
    if any(node.op_type in QUANTIZED for node in model.graph.node):
        return "int8"
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    return "fp16" if kinds & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16} else None


def census(model: onnx.ModelProto) -> dict[str, int]:
    """Return the number of nodes of each operator type, sorted by type."""
    counts: dict[str, int] = {}
    for node in model.graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return dict(sorted(counts.items()))


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy of a model without names of its origin, with axes named batch, height, width.

    Stack traces, file names and intermediate shapes are removed.
    """
    return stripped(copied(model))


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model itself, changed as `anonymous` changes a copy."""
    model.producer_name, model.producer_version, model.doc_string = "upconv", "", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.name, graph.doc_string = "upconv", ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    _name_axes(graph)
    return model


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
                # The contract states the output sizes. The exporter's formula for them differs from run to run.
                dim.dim_param = names.get(dim.dim_param, "")
