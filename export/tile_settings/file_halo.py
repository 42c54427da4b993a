"""The halo and the sizes of an .onnx file: as its contract states them, or derived from its graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper

from upconv.export.backends import Array, Backend, OnnxruntimeBackend
from upconv.export.fixed_arguments import with_fixed_arguments
from upconv.export.halo import derivation
from upconv.export.halo.probing import probe_shapes
from upconv.export.simplify import Simplify
from upconv.export.sizes import InputAxis, Shapes, find_axes
from upconv.runtime.contract import KEY, MAX_LENGTH, Contract, Halo, NoHalo, SizeLaw
from upconv.runtime.errors import ExportError, ModelError, ParameterError, first_line

LENGTHS = (16, 32, 24, 64, 128, 256)
"""The lengths of the example that are tried along free axes, in pixels."""
CHANNELS = (3, 1, 4)
"""The numbers of channels that are tried if the file does not state them."""

PIXELS = (TensorProto.FLOAT, TensorProto.FLOAT16)
"""The types of the elements of a picture."""


@dataclass(frozen=True)
class FileHalo:
    """The halo and the size laws of a model that makes a picture from a picture."""

    halo: Halo | NoHalo
    """The input pixels around a tile, or the node that needs the whole picture."""
    height: SizeLaw
    """The output height by the input height."""
    width: SizeLaw
    """The output width by the input width."""
    channels: int
    """The number of input channels."""
    origin: Literal["contract", "graph"]
    """The place where the halo comes from: `contract`, or `graph` if it was derived and probed here."""

    @property
    def laws(self) -> tuple[SizeLaw, SizeLaw]:
        """The size laws of height and width."""
        return self.height, self.width


def load_file(path: Path) -> onnx.ModelProto:
    """Return the model with its weights; raises `ModelError` if the file is missing or damaged."""
    if not path.is_file():
        raise ModelError(f"no model file at {path}")
    try:
        model = onnx.load(path)
    except Exception as error:  # onnx and protobuf raise several unrelated types
        raise ModelError(
            f"{path} is truncated or not an ONNX file: {first_line(error)}; download or export it again"
        ) from error
    if not model.graph.node or not model.graph.output:
        raise ModelError(f"{path} holds no graph with an output; download or export it again")
    return model


def stated_contract(model: onnx.ModelProto, path: Path) -> Contract | None:
    """Return the contract of a loaded file, or `None`; raises `ContractError` if it cannot be read."""
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    return Contract.from_metadata(metadata, path) if KEY in metadata else None


def halo_of_file(model: onnx.ModelProto, contract: Contract | None = None) -> FileHalo:
    """Return the halo that the contract states, otherwise the halo of the graph, checked by a probe.

    Raises `ParameterError` if the model does not make a picture from one picture, and `ExportError` if onnxruntime cannot
    open it.
    """
    if contract is not None and contract.height and contract.width and contract.halo is not None and contract.input:
        return FileHalo(contract.halo, contract.height, contract.width, contract.input.channels, "contract")
    shape = _picture(model)
    backend = _AsDeclared(OnnxruntimeBackend(model), pixels_type(model))
    example = _example(backend, shape)
    axes = find_axes(lambda shapes: _output_shapes(backend, shapes), (example,))
    laws = (_law(backend, example, axes, 2), _law(backend, example, axes, 3))
    halo, (height, width) = _halo(model, backend, example[1], laws)
    return FileHalo(halo, height, width, example[1], "graph")


class _AsDeclared:
    """A backend that is given float32, and passes on the type that the graph declares."""

    level = "-"

    def __init__(self, backend: Backend, kind: np.dtype[np.generic]) -> None:
        self._backend, self._kind = backend, kind
        self.name, self.version = backend.name, backend.version

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return self._backend.run([array.astype(self._kind) for array in inputs])


def pixels_type(model: onnx.ModelProto) -> np.dtype[np.generic]:
    """Return the type of the elements of the first input."""
    return np.dtype(helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type))


def _picture(model: onnx.ModelProto) -> tuple[int | None, ...]:
    """Return the declared shape of the only input, a picture (N, C, H, W)."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    shapes = [tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim) for value in inputs]
    if len(inputs) == 1 and len(shapes[0]) == 4 and inputs[0].type.tensor_type.elem_type in PIXELS:
        return shapes[0]
    listed = ", ".join(f"{value.name} {_written(shape)}" for value, shape in zip(inputs, shapes, strict=True))
    raise ParameterError(f"a halo needs one input of floating-point pixels (N, C, H, W), but the model has {listed or 'none'}")


def _written(shape: Sequence[int | None]) -> str:
    return "x".join("?" if length is None else str(length) for length in shape) or "of unknown shape"


def _example(backend: Backend, shape: Sequence[int | None]) -> tuple[int, ...]:
    """Return a shape that the model accepts, with one picture."""
    tried = [(shape[0] or 1, shape[1] or c, shape[2] or n, shape[3] or n) for n in LENGTHS for c in CHANNELS]
    for candidate in dict.fromkeys(tried):
        if _output_shapes(backend, (candidate,)) is not None:
            return candidate
    raise ParameterError(f"the model runs on none of the inputs that were tried, such as {_written(tried[0])}")


def _output_shapes(backend: Backend, shapes: Shapes) -> Shapes | None:
    try:
        return tuple(output.shape for output in backend.run([np.zeros(shape, np.float32) for shape in shapes]))
    except ExportError:
        return None


def _law(backend: Backend, example: Sequence[int], axes: Sequence[InputAxis], index: int) -> SizeLaw:
    """Return the size law of an axis; one that allows only the length of the example if the axis is not free."""
    found = next((axis for axis in axes if axis.index == index and axis.inputs == (0,)), None)
    if found is not None and found.law is not None and found.target == (0, index):
        return found.law
    made = _output_shapes(backend, (tuple(example),))
    if made is None or len(made[0]) != 4 or (found is not None and found.free):
        raise ParameterError("the output is no picture: its height and width do not follow those of the input by a size law")
    length = example[index]
    return SizeLaw(scale=made[0][index] / length, multiple=length, minimum=length, maximum=length)


def _halo(
    model: onnx.ModelProto, backend: Backend, channels: int, laws: tuple[SizeLaw, SizeLaw]
) -> tuple[Halo | NoHalo, tuple[SizeLaw, SizeLaw]]:
    """Return the halo, and the size laws for which it holds."""
    fields = derivation.derive(model)
    if isinstance(fields, NoHalo):  # sizes that the graph computes hide the scales of Resize
        fixed = with_fixed_arguments(Simplify()(model).model, laws)
        model, fields = fixed.model, derivation.derive(fixed.model)
        laws = _of_multiples(laws, fixed.multiple)
    if isinstance(fields, NoHalo):
        return fields, laws
    halo = derivation.halo_of(fields)
    for shape in probe_shapes(model, channels, laws, halo):
        wrong = derivation.probe(backend, shape, fields)
        if wrong is not None:
            return wrong, laws
    return _centred(halo, laws), laws


def _of_multiples(laws: tuple[SizeLaw, SizeLaw], multiple: int) -> tuple[SizeLaw, SizeLaw]:
    height, width = (law.model_copy(update={"multiple": lcm(law.multiple, multiple)}) for law in laws)
    return height, width


def consumed_px(law: SizeLaw) -> Fraction:
    """Return the input pixels on each side that a model of valid convolutions consumes; 0 for another model."""
    return max(Fraction(0), Fraction(-law.offset) / (2 * Fraction(law.scale).limit_denominator(MAX_LENGTH)))


def _centred(halo: Halo, laws: tuple[SizeLaw, SizeLaw]) -> Halo:
    """Return the halo around the pixels that the output shows: the first output of a valid convolution lies within the input."""
    down, right = (int(px) if (px := consumed_px(law)).denominator == 1 else 0 for law in laws)
    return Halo(
        top=halo.top + down,
        bottom=max(0, halo.bottom - down),
        left=halo.left + right,
        right=max(0, halo.right - right),
    )
