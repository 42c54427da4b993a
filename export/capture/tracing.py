"""The capture of torch modules by `torch.onnx.export(dynamo=True)`, with dynamic axes."""

from __future__ import annotations

import inspect
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from upconv.export.backends import Array
from upconv.export.capture import operator_library
from upconv.export.capture.attention import ATTENTION
from upconv.export.capture.conditions import conditions_of_trace
from upconv.export.capture.convolutions import CONVOLUTIONS
from upconv.export.capture.exact_constants import exact_constants
from upconv.export.capture.interpolation import TRANSLATIONS, lengths_in_double, lines_pooled_as_pictures, with_scales
from upconv.export.capture.largest import ORDER, refuse_places
from upconv.export.capture.lengths_in_python import PYTHON, divisions_with_rest
from upconv.export.capture.lowering import TABLE
from upconv.export.capture.out_of_place import out_of_place
from upconv.export.capture.output_padding import without_excess
from upconv.export.graphs import OPSET, stripped
from upconv.export.sizes import InputAxis, Shape, Shapes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError

Dynamic = tuple[dict[int, Any], ...]
"""The `dynamic_shapes` of `torch.export`: one dict of axes per input."""


def capture(
    module: nn.Module, name: str, example: Sequence[Array], axes: Sequence[InputAxis], opset: int = OPSET
) -> onnx.ModelProto:
    """Return the graph of `module`, with symbolic batch and free axes, and without traces of this machine.

    A single input is called `image`, several have the names of the arguments of `forward`. A single output is called
    `output`, several are numbered. An axis that torch makes constant is constant in the graph too. Raises `ExportError`
    with torch's reason if torch cannot trace the module.

    The batch has the length of the example if `axes` holds axis 0 and it is not free.
    """
    shapes = _unequal(tuple(array.shape for array in example), axes)
    one_batch = any(axis.index == 0 and not axis.free for axis in axes)
    # torch.export treats a length of 0 or 1 as a constant.
    traced = shapes if one_batch else tuple(_doubled(shape) for shape in shapes)
    tensors = tuple(torch.from_numpy(np.resize(array, shape)) for array, shape in zip(example, traced, strict=True))
    free = [axis for axis in axes if axis.free]
    problem: ExportError | None = None
    for choice in (_related, _automatic, _fixed):
        try:
            return _exported(
                module,
                tensors,
                _without_batch(choice(tensors, free)) if one_batch else choice(tensors, free),
                _near(tuple(array.shape if one_batch else _more(array.shape) for array in example), free),
                opset,
            )
        except Exception as error:
            problem = problem or ExportError(f"torch cannot trace {name}: {_cause(error)}")
            problem.__cause__ = problem.__cause__ or error
            if not _concerns_sizes(error):
                break
    assert problem is not None
    raise problem


def _exported(
    module: nn.Module, tensors: tuple[Tensor, ...], dynamic: Dynamic, near: Sequence[Shapes], opset: int
) -> onnx.ModelProto:
    outputs = out_of_place(module, tensors)
    parameters = inspect.signature(module.forward).parameters
    names = getattr(module, "input_names", None) or list(parameters)[: len(tensors)]
    # torch.export treats *args as one nested argument.
    nested = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
    with _quiet():
        program = _program(module, tensors, (dynamic,) if nested else dynamic, near)
    return _written(program, names, outputs, opset)


def capture_program(program: ExportedProgram, name: str, opset: int = OPSET) -> onnx.ModelProto:
    """Return the graph of a program of `torch.export`, with the same dynamic axes.

    Raises `ExportError` with torch's reason if torch cannot write it.
    """
    signature = program.graph_signature
    try:
        return _written(program, signature.user_inputs, len(signature.user_outputs), opset)
    except Exception as error:
        raise ExportError(f"torch cannot write {name} as ONNX: {_cause(error)}") from error


def _written(program: ExportedProgram, names: Sequence[Any], outputs: int, opset: int) -> onnx.ModelProto:
    refuse_places(program)
    operator_library.read_once()
    with _quiet(), exact_constants():
        with_scales(program)
        made = torch.onnx.export(
            program,
            dynamo=True,
            opset_version=opset,
            input_names=["image"] if len(names) == 1 else list(names),
            output_names=["output"] if outputs == 1 else [f"output_{n}" for n in range(outputs)],
            custom_translation_table=TABLE | TRANSLATIONS | PYTHON | CONVOLUTIONS | ORDER | ATTENTION,
            verbose=False,
        )
    assert made is not None
    model = stripped(made.model_proto)
    lengths_in_double(model, program)
    without_excess(model)
    return model


def _program(module: nn.Module, tensors: tuple[Tensor, ...], dynamic: Any, near: Sequence[Shapes]) -> ExportedProgram:
    """Trace a module, by its bytecode (`strict=True`) if the trace of its Python code fails or does not hold at all sizes
    near the example.

    In Python code, `int(0.5 * length)` is a constant for torch. In bytecode, it is a function of the length.
    """
    with conditions_of_trace() as conditions:
        try:
            program = _traced(module, tensors, dynamic, strict=False)
            conditions.bind(program)
        except Exception as error:
            conditions.clear()
            try:
                program = _traced(module, tensors, dynamic, strict=True)
            except Exception:  # the first reason is clearer
                raise error from None
            conditions.bind(program)
            return program
    broken = sum(conditions.broken(shapes) is not None for shapes in near)
    if not broken:
        return program
    kept = conditions.copy()
    with suppress(Exception), conditions_of_trace() as conditions:  # the first trace may hold for some sizes
        second = _traced(module, tensors, dynamic, strict=True)
        conditions.bind(second)
        if sum(conditions.broken(shapes) is not None for shapes in near) < broken:
            return second
    conditions.restore(kept)
    return program


def _traced(module: nn.Module, tensors: tuple[Tensor, ...], dynamic: Any, *, strict: bool) -> ExportedProgram:
    # A length of 0 or 1 is not a constant, as in torch.onnx.export.
    oblivious = torch.fx.experimental._config.patch(backed_size_oblivious=True)  # type: ignore[attr-defined]
    with oblivious, lines_pooled_as_pictures(), divisions_with_rest():
        return torch.export.export(
            module, tensors, strict=strict, dynamic_shapes=dynamic, prefer_deferred_runtime_asserts_over_guards=True
        )


def _related(tensors: tuple[Tensor, ...], axes: list[InputAxis]) -> Dynamic:
    """Declare the multiples that were found, so that torch need not prove that lengths divide evenly."""
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
    """Let torch decide which axes are dynamic."""
    dynamic = _batches(tensors)
    for axis in axes:
        for number in axis.inputs:
            dynamic[number][axis.index] = Dim.AUTO
    return tuple(dynamic)


def _fixed(tensors: tuple[Tensor, ...], axes: list[InputAxis]) -> Dynamic:
    """Make every axis constant."""
    return tuple({} for _ in tensors)


def _batches(tensors: tuple[Tensor, ...]) -> list[dict[int, Any]]:
    return [{0: Dim.AUTO} if tensor.ndim else {} for tensor in tensors]


def _without_batch(dynamic: Dynamic) -> Dynamic:
    return tuple({index: length for index, length in axes.items() if index > 0} for axes in dynamic)


def _concerns_sizes(error: BaseException) -> bool:
    """True if the error is about the declared sizes and not about the module."""
    seen: BaseException | None = error
    while seen is not None:
        if "onstraint" in str(seen) or "specialized" in str(seen):
            return True
        seen = seen.__cause__
    return False


def _doubled(shape: Shape) -> Shape:
    return (max(2, shape[0]), *shape[1:]) if shape else shape


def _more(shape: Shape) -> Shape:
    """Return the shape with a batch that is larger than in the trace. A batch of one is tried when the graph is made."""
    return (_doubled(shape)[0] + 1, *shape[1:]) if shape else shape


def _near(example: Shapes, free: Sequence[InputAxis]) -> list[Shapes]:
    """Return the shapes of the example, and those with one free axis that is one or two multiples longer."""
    found = [example]
    for axis in free:
        law = axis.law or SizeLaw(scale=1)
        base = law.fitted(example[axis.inputs[0]][axis.index])
        longer = (axis.resized(example, base + steps * law.multiple) for steps in (1, 2))
        found += [shapes for shapes in longer if shapes is not None]
    return found


def _unequal(shapes: Shapes, axes: Sequence[InputAxis]) -> Shapes:
    """Return shapes whose free axes all differ: torch.export gives equal lengths the same symbol."""
    for step, axis in enumerate(a for a in axes if a.free):
        law = axis.law or SizeLaw(scale=1)
        base = law.fitted(max(shapes[axis.inputs[0]][axis.index], 2))
        steps = (base + n * law.multiple for n in count(step))
        shapes = next(resized for n in steps if (resized := axis.resized(shapes, n)) is not None)
    return shapes


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence torch, which warns about missing optional packages, and logs the errors that it raises, too."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch._guards", "torch._dynamo", "torch.fx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"
