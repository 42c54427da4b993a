"""What is compared: a torch source or an .onnx file, seen alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from upconv.export.backends import Array, Backend, OnnxruntimeBackend, Precision
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.graphs import OPSET, accepts
from upconv.export.pictures import image_pixels
from upconv.export.reference import output_shapes
from upconv.export.sizes import InputAxis, Shape, Shapes, find_axes, trial_shapes
from upconv.export.sources import Source
from upconv.export.sources.onnx_file import contract_in, load
from upconv.runtime.contract import Contract, Pixels
from upconv.runtime.errors import ExportError, ParameterError

LENGTHS = (32, 64, 24, 128, 256)
"""Tried in turn along free axes of a file that does not say which sizes it takes."""


@dataclass(frozen=True)
class ParitySubject:
    """A function to be compared."""

    label: str
    """What the user called it."""
    original: Callable[[Precision], Backend]
    """What computes its own answers: the torch module, or onnx's reference evaluator on a file's graph."""
    model: onnx.ModelProto
    """The graph: of the file, or what torch's exporter makes of the module."""
    example: tuple[Array, ...]
    """One array for each input."""
    axes: tuple[InputAxis, ...]
    """What is known of its sizes."""
    is_source: bool
    """Whether there is a torch module."""
    pixels: Pixels = Pixels()
    """The range of its inputs."""
    output_pixels: Pixels | None = None
    """How its first output is read as a picture; none where it is none."""
    precision: str = "fp32"
    """Of the weights, by the file's own account."""

    def shapes(self) -> list[Shapes]:
        """The inputs that say most about it, of those that its graph takes."""
        example = tuple(array.shape for array in self.example)
        return [s for s in trial_shapes(example, list(self.axes)) if self.accepts(s)]

    def accepts(self, shapes: Shapes) -> bool:
        """Whether its graph declares inputs of as many axes, and lengths among them that these can be."""
        declared = [len(value.type.tensor_type.shape.dim) for value in self.model.graph.input]
        return declared == [len(shape) for shape in shapes] and accepts(self.model, shapes)


def from_source(source: Source, label: str, opset: int = OPSET) -> ParitySubject:
    """A torch source, with its own capture as its graph; raises `ExportError` where it refuses its example or has no graph."""
    backend = source.original.backend("float32")
    if output_shapes(backend, source, source.shapes) is None:
        raise ExportError(
            f"{source.name} refuses an input of shape {_said(source.shapes)}; give one that it accepts with --shape"
        )
    axes = find_axes(lambda shapes: output_shapes(backend, source, shapes), source.shapes)
    model = source.original.capture(source.name, source.example, axes, opset)
    pixels = image_pixels(model, source.shapes[0][1], [axis.law for axis in axes], source.pixels) if len(axes) == 2 else None
    return ParitySubject(
        label=label,
        original=source.original.backend,
        model=model,
        example=source.example,
        axes=tuple(axes),
        is_source=True,
        pixels=source.pixels,
        output_pixels=pixels and (source.output_pixels or pixels),
    )


def from_file(path: Path, label: str | None = None, shape: Shape | None = None, pixels: Pixels | None = None) -> ParitySubject:
    """An .onnx file; its contract, where it has one, says which sizes and values it takes, and otherwise it is tried.

    `shape` is that of the first input. Raises `SourceError` where the file is none, and `ParameterError` where no input
    is found that it runs on.
    """
    model = load(path)
    contract = contract_in(model, path)
    backend = OnnxruntimeBackend(model, "disabled")
    example, axes = _sizes(model, backend, contract, shape)
    upscales = contract is not None and contract.task == "upscale"
    return ParitySubject(
        label=label or str(path),
        original=lambda precision: ReferenceBackend(model, precision),
        model=model,
        example=example,
        axes=tuple(axes),
        is_source=False,
        pixels=pixels or (contract and contract.input) or Pixels(),
        output_pixels=contract.output if contract and upscales else None,
        precision=_stored(model, contract),
    )


def _stored(model: onnx.ModelProto, contract: Contract | None) -> str:
    """The precision of a graph, from its operators and the types of its weights: tools that lower it leave contracts alone."""
    if any(node.op_type in ("QuantizeLinear", "QLinearConv", "DynamicQuantizeLinear") for node in model.graph.node):
        return "int8"
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    if kinds & {TensorProto.FLOAT16, TensorProto.BFLOAT16}:
        return "fp16"
    return contract.precision if contract else "fp32"


def _sizes(
    model: onnx.ModelProto, backend: Backend, contract: Contract | None, shape: Shape | None
) -> tuple[tuple[Array, ...], list[InputAxis]]:
    laws = [contract.height, contract.width] if contract else [None, None]
    candidates = [_example(model, (n, n), shape) for n in LENGTHS]
    if all(laws) and shape is None:
        needed = [law.fitted(LENGTHS[0]) for law in laws if law]
        candidates.insert(0, _example(model, (needed[0], needed[1]), None))
    example = next((e for e in candidates if _made(backend, e) is not None), None)
    if example is None:
        wanted = _said(tuple(array.shape for array in candidates[0]))
        raise ParameterError(f"{backend.name} cannot run the graph on {wanted}; give an input that it accepts with --shape")
    if all(laws):
        return example, [InputAxis(index, law, free=True) for index, law in zip((2, 3), laws, strict=True)]
    shapes = tuple(array.shape for array in example)
    return example, find_axes(lambda s: _made(backend, tuple(np.resize(x, n) for x, n in zip(example, s, strict=True))), shapes)


def _example(model: onnx.ModelProto, lengths: tuple[int, int], shape: Shape | None) -> tuple[Array, ...]:
    """Zeros of the declared types; a free axis is a batch of one, three channels, or as long as asked for."""
    arrays = []
    for number, value in enumerate(model.graph.input):
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        dims = value.type.tensor_type.shape.dim
        free = (1, 3, *(lengths if len(dims) == 4 else [lengths[0]] * len(dims)))
        fixed = tuple(dim.dim_value or free[n] for n, dim in enumerate(dims))
        arrays.append(np.zeros(shape if shape and number == 0 else fixed, kind))
    return tuple(arrays)


def _made(backend: Backend, arrays: tuple[Array, ...]) -> Shapes | None:
    try:
        return tuple(tuple(output.shape) for output in backend.run(list(arrays)))
    except ExportError:
        return None


def _said(shapes: Shapes) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
