"""The subjects of a comparison: a torch source or an .onnx file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from upconv.export.backends import Array, Backend, OnnxruntimeBackend, Precision
from upconv.export.backends.reference_graph import ReferenceBackend
from upconv.export.graphs import OPSET, accepts, stored_precision
from upconv.export.pictures import image_pixels
from upconv.export.reference import output_shapes
from upconv.export.sizes import InputAxis, Shape, Shapes, find_axes, trial_shapes
from upconv.export.sources import Source
from upconv.export.sources.onnx_file import contract_in, load
from upconv.export.sources.refusal import refusal
from upconv.export.sources.stated_axes import source_axes
from upconv.runtime.contract import Contract, Pixels
from upconv.runtime.errors import ExportError, ParameterError

LENGTHS = (32, 64, 24, 128, 256)
"""Lengths that are tried along the free axes of a file without a contract, in pixels."""


@dataclass(frozen=True)
class ParitySubject:
    """A function to compare."""

    label: str
    """The name that the user gave."""
    original: Callable[[Precision], Backend]
    """Opens the reference: the torch module, or onnx's reference evaluator for a file."""
    rounded: Callable[[int], Backend]
    """Opens the reference in float64, with operators that round to float32 at random, by a seed."""
    model: onnx.ModelProto
    """The graph of the file, or the capture of the module."""
    example: tuple[Array, ...]
    """One array per input."""
    axes: tuple[InputAxis, ...]
    """The axes whose length can change, with their size laws."""
    is_source: bool
    """True if there is a torch module."""
    pixels: Pixels = Pixels()
    """The range of the inputs."""
    output_pixels: Pixels | None = None
    """The pixels of the first output; `None` if it is not a picture."""
    precision: str = "fp32"
    """The precision of the weights: `fp32`, `fp16` or `int8`."""
    sha256: str | None = None
    """The SHA-256 of the file, or of the weights of a module; `None` for a module without weights."""

    def shapes(self) -> list[Shapes]:
        """Return the input shapes to try, of those that the graph accepts."""
        example = tuple(array.shape for array in self.example)
        return [s for s in trial_shapes(example, list(self.axes)) if self.accepts(s)]

    def accepts(self, shapes: Shapes) -> bool:
        """Return whether the graph declares inputs of this rank and accepts these lengths."""
        declared = [len(value.type.tensor_type.shape.dim) for value in self.model.graph.input]
        return declared == [len(shape) for shape in shapes] and accepts(self.model, shapes)


def from_source(source: Source, label: str, opset: int = OPSET) -> ParitySubject:
    """Return a torch source as a subject, with its capture as the graph.

    Raises `ExportError` if the source refuses its example or cannot be captured.
    """
    backend = source.original.backend("float32")
    if output_shapes(backend, source, source.shapes) is None:
        raise ExportError(
            f"{source.name} refuses an input of shape {_written(source.shapes)}: {refusal(source)}; "
            "give one that it accepts with --shape"
        )
    axes = source_axes(lambda shapes: output_shapes(backend, source, shapes), source)
    model = source.original.capture(source.name, source.example, axes, opset)
    picture = len(axes) == 2 and len(source.shapes[0]) == 4
    pixels = image_pixels(model, source.shapes[0][1], [axis.law for axis in axes], source.pixels) if picture else None
    return ParitySubject(
        label=label,
        original=source.original.backend,
        rounded=source.original.rounded,
        model=model,
        example=source.example,
        axes=tuple(axes),
        is_source=True,
        pixels=source.pixels,
        output_pixels=pixels and (source.output_pixels or pixels),
        sha256=source.original.weights_sha256(),
    )


def from_file(path: Path, label: str | None = None, shape: Shape | None = None, pixels: Pixels | None = None) -> ParitySubject:
    """Return an .onnx file as a subject.

    Sizes and pixels come from the contract. Without a contract, several sizes are tried. `shape` is the shape of the
    first input. Raises `SourceError` if the file is not an ONNX model, and `ParameterError` if it runs on no input that was
    tried.
    """
    model = load(path)
    contract = contract_in(model, path)
    backend = OnnxruntimeBackend(model, "disabled")
    example, axes = _sizes(model, backend, contract, shape)
    upscales = contract is not None and contract.task == "upscale"
    return ParitySubject(
        label=label or str(path),
        original=lambda precision: ReferenceBackend(model, precision),
        rounded=lambda seed: ReferenceBackend(model, seed=seed),
        model=model,
        example=example,
        axes=tuple(axes),
        is_source=False,
        pixels=pixels or (contract and contract.input) or Pixels(),
        output_pixels=contract.output if contract and upscales else None,
        # other tools can lower the precision without changing the contract
        precision=stored_precision(model) or (contract.precision if contract else "fp32"),
        sha256=_sha256(path),
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sizes(
    model: onnx.ModelProto, backend: Backend, contract: Contract | None, shape: Shape | None
) -> tuple[tuple[Array, ...], list[InputAxis]]:
    laws = [contract.height, contract.width] if contract else [None, None]
    candidates = [_example(model, (n, n), shape) for n in LENGTHS]
    if all(laws) and shape is None:
        needed = [law.fitted(LENGTHS[0]) for law in laws if law]
        candidates.insert(0, _example(model, (needed[0], needed[1]), None))
    example = next((e for e in candidates if _output_shapes(backend, e) is not None), None)
    if example is None:
        shapes_tried = _written(tuple(array.shape for array in candidates[0]))
        raise ParameterError(
            f"{backend.name} cannot run the graph on {shapes_tried}; give an input that it accepts with --shape"
        )
    if all(laws):
        return example, [InputAxis(index, law, free=True) for index, law in zip((2, 3), laws, strict=True)]
    shapes = tuple(array.shape for array in example)
    return example, find_axes(
        lambda s: _output_shapes(backend, tuple(np.resize(x, n) for x, n in zip(example, s, strict=True))), shapes
    )


def _example(model: onnx.ModelProto, lengths: tuple[int, int], shape: Shape | None) -> tuple[Array, ...]:
    """Return zeros of the declared types. Free axes get one batch item, three channels and the given lengths."""
    arrays = []
    for number, value in enumerate(model.graph.input):
        kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        dims = value.type.tensor_type.shape.dim
        free = (1, 3, *(lengths if len(dims) == 4 else [lengths[0]] * len(dims)))
        fixed = tuple(dim.dim_value or free[n] for n, dim in enumerate(dims))
        arrays.append(np.zeros(shape if shape and number == 0 else fixed, kind))
    return tuple(arrays)


def _output_shapes(backend: Backend, arrays: tuple[Array, ...]) -> Shapes | None:
    try:
        return tuple(tuple(output.shape) for output in backend.run(list(arrays)))
    except ExportError:
        return None


def _written(shapes: Shapes) -> str:
    return " and ".join("x".join(map(str, shape)) for shape in shapes)
