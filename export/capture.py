"""A torch module as an ONNX graph, by `torch.onnx.export(dynamo=True)`, dynamic wherever the module allows."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from torch.export import Dim

from upconv.export.sizes import Axis, Shape
from upconv.export.sources import Source
from upconv.runtime.errors import ExportError

OPSET = 18
"""The lowest that the exporter writes without converting down; onnxruntime fuses 18 to 23 alike, older ones reach wider."""

INPUT, OUTPUT = "image", "output"
"""Names of the graph's input and output."""


def capture(source: Source, axes: list[Axis], opset: int = OPSET) -> onnx.ModelProto:
    """The graph of `source`, batch and free axes symbolic, free of whatever names the machine it was made on.

    Raises `ExportError` where torch cannot trace the module, with torch's own reason.
    """
    # torch.export takes a length of 0 or 1 for a constant, and equal lengths for one symbol.
    example = torch.zeros(tuple(max(2, n) if axis == 0 else n for axis, n in enumerate(_unequal(source.shape, axes))))
    dynamic = {0: Dim.AUTO, **{axis.index: _dimension(axis) for axis in axes if axis.free}}
    try:
        with _quiet():
            program = torch.onnx.export(
                source.module,
                (example,),
                dynamo=True,
                dynamic_shapes=(dynamic,),
                opset_version=opset,
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    except Exception as error:
        raise ExportError(f"torch cannot trace {source.name}: {_cause(error)}") from error
    assert program is not None
    return anonymous(program.model_proto)


def anonymous(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without stack traces, file names and intermediate shapes, and with axes named batch, height, width."""
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
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
            if dim.dim_param:
                names[dim.dim_param] = dim.dim_param = name
    for value in graph.output:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                # What an axis of the output comes to is said by the contract; the exporter's formula differs by run.
                dim.dim_param = names.get(dim.dim_param, "")


def _dimension(axis: Axis) -> Any:
    """Told that a length is a multiple, torch need not prove that halves and quarters come out even."""
    if axis.law is None or axis.law.multiple == 1:
        return Dim.AUTO
    return axis.law.multiple * Dim(f"axis{axis.index}")


def _unequal(shape: Shape, axes: list[Axis]) -> Shape:
    lengths = list(shape)
    for step, axis in enumerate(a for a in axes if a.free):
        multiple, minimum = (axis.law.multiple, axis.law.minimum) if axis.law else (1, 1)
        base = -(-max(lengths[axis.index], minimum, 2) // multiple) * multiple
        lengths[axis.index] = base + step * multiple
    return tuple(lengths)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports packages it could do without, at warning level, on every call."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
