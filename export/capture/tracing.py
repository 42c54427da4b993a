"""Tracing of a torch module to an ONNX graph, by `torch.onnx.export(dynamo=True)`, with free axes if possible."""

from __future__ import annotations

import inspect
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from upconv.export.backends import Array
from upconv.export.capture.interpolation import TRANSLATIONS, lengths_in_double, lines_pooled_as_pictures, with_scales
from upconv.export.capture.lowering import TABLE
from upconv.export.capture.out_of_place import out_of_place
from upconv.export.capture.output_padding import without_excess
from upconv.export.graphs import OPSET, anonymous
from upconv.export.sizes import InputAxis, Shape, Shapes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

Dynamic = tuple[dict[int, Any], ...]
"""For each input, the dynamic axes as torch describes them."""


def capture(
    module: nn.Module, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int = OPSET
) -> onnx.ModelProto:
    """Return the graph of `module`, batch and free axes symbolic, without names of this machine.

    Inputs have the names of `forward`'s arguments, or `image` if there is one. Outputs are named `output`, with numbers if
    there are several. An axis that torch can only trace as a constant is constant in the graph's input, too. Raises
    `ExportError` with torch's own reason if torch cannot trace the module.
    """
    shapes = _unequal(tuple(array.shape for array in example), axes)
    # torch.export treats a length of 0 or 1 as a constant
    tensors = tuple(torch.from_numpy(np.resize(array, _doubled(shape))) for array, shape in zip(example, shapes, strict=True))
    free = [axis for axis in axes if axis.free]
    problem: ExportError | None = None
    for choice in (_related, _automatic, _fixed):
        try:
            return _exported(module, tensors, choice(tensors, free), opset)
        except Exception as error:
            problem = problem or ExportError(f"torch cannot trace {name}: {_cause(error)}")
            problem.__cause__ = problem.__cause__ or error
            if not _about_sizes(error):
                break
    assert problem is not None
    raise problem


def _exported(module: nn.Module, tensors: tuple[Tensor, ...], dynamic: Dynamic, opset: int) -> onnx.ModelProto:
    module, outputs = out_of_place(module, tensors)
    parameters = inspect.signature(module.forward).parameters
    names = getattr(module, "input_names", None) or list(parameters)[: len(tensors)]
    # torch.export treats the values of *args as one nested argument
    nested = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    with _quiet():
        program = _traced(module, tensors, (dynamic,) if nested else dynamic)
    return _written(program, names, outputs, opset)


def capture_program(program: ExportedProgram, name: str, opset: int = OPSET) -> onnx.ModelProto:
    """Return the graph of a traced program, with the program's free axes; raises `ExportError` as `capture` does."""
    signature = program.graph_signature
    try:
        return _written(program, signature.user_inputs, len(signature.user_outputs), opset)
    except Exception as error:
        raise ExportError(f"torch cannot write {name} as ONNX: {_cause(error)}") from error


def _written(program: ExportedProgram, names: Sequence[Any], outputs: int, opset: int) -> onnx.ModelProto:
    with _quiet():
        with_scales(program)
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=opset,
            input_names=["image"] if len(names) == 1 else list(names),
            output_names=["output"] if outputs == 1 else [f"output_{n}" for n in range(outputs)],
            custom_translation_table=TABLE | TRANSLATIONS,
            verbose=False,
        )
    assert made is not None
    model = anonymous(made.model_proto)
    lengths_in_double(model, program)
    without_excess(model)
    return model


def _traced(module: nn.Module, tensors: tuple[Tensor, ...], dynamic: Any) -> ExportedProgram:
    """Trace the module's Python code or, if that fails, its bytecode."""
    options: dict[str, Any] = {"dynamic_shapes": dynamic, "prefer_deferred_runtime_asserts_over_guards": True}
    # as in torch.onnx.export: a length of 0 or 1 is not a constant
    oblivious = torch.fx.experimental._config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with oblivious, lines_pooled_as_pictures():
        try:
            return torch.export.export(module, tensors, strict=False, **options)
        except Exception as error:
            try:
                return torch.export.export(module, tensors, strict=True, **options)
            except Exception:  # the first reason is the better one
                raise error from None


def _related(tensors: tuple[Tensor, ...], axes: list[InputAxis]) -> Dynamic:
    """Describe the sizes as the trials found them. If torch knows a multiple, it need not prove that halves are whole."""
    dynamic = _batches(tensors)
    for axis in axes:
        multiple = axis.law.multiple if axis.law else 1
        lengths = [tensors[number].shape[axis.index] for number in axis.inputs]
        step = math.lcm(multiple, lengths[0] // math.gcd(*lengths))
        if step == 1 and len(lengths) == 1:
            dynamic[axis.inputs[0]][axis.index] = Dim.AUTO
            continue
        symbol = Dim(f"axis{axis.index}")
        for number, length in zip(axis.inputs, lengths, strict=True):
            factor = step * length // lengths[0]
            dynamic[number][axis.index] = symbol if factor == 1 else factor * symbol
    return tuple(dynamic)


def _automatic(tensors: tuple[Tensor, ...], axes: list[InputAxis]) -> Dynamic:
    """Let torch infer the sizes."""
    dynamic = _batches(tensors)
    for axis in axes:
        for number in axis.inputs:
            dynamic[number][axis.index] = Dim.AUTO
    return tuple(dynamic)


def _fixed(tensors: tuple[Tensor, ...], axes: list[InputAxis]) -> Dynamic:
    """Fix every size."""
    return tuple({} for _ in tensors)


def _batches(tensors: tuple[Tensor, ...]) -> list[dict[int, Any]]:
    return [{0: Dim.AUTO} if tensor.ndim else {} for tensor in tensors]


def _about_sizes(error: BaseException) -> bool:
    """Return `True` if torch's error is about the described sizes, and not about the module."""
    seen: BaseException | None = error
    while seen is not None:
        if "onstraint" in str(seen) or "specialized" in str(seen):
            return True
        seen = seen.__cause__
    return False


def _doubled(shape: Shape) -> Shape:
    return (max(2, shape[0]), *shape[1:]) if shape else shape


def _unequal(shapes: Shapes, axes: Sequence[InputAxis]) -> Shapes:
    """Return shapes with a different length for each axis, because torch.export treats equal lengths as one symbol."""
    for step, axis in enumerate(a for a in axes if a.free):
        law = axis.law or SizeLaw(scale=1)
        base = law.fitted(max(shapes[axis.inputs[0]][axis.index], 2))
        steps = (base + n * law.multiple for n in count(step))
        shapes = next(found for n in steps if (found := axis.resized(shapes, n)) is not None)
    return shapes


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's warnings about optional packages."""
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
