"""The axes of a source whose length can change: those that the user states, checked by trials, or those that trials find."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import onnx

from upconv.export.sizes import InputAxis, Layout, Shapes, Try, find_axes, find_axis, leading
from upconv.export.sources.source import Source
from upconv.runtime.errors import ExportError, ParameterError
from upconv.runtime.rounding import round_up

FOLLOWERS = "T"
"""The letter of an output axis that may grow with any input axis: the tokens are all pixels in one row."""


def source_axes(attempt: Try, source: Source) -> tuple[InputAxis, ...]:
    """Return the axes of the source beyond the batch, with their size laws.

    Raises `ParameterError` if the stated letters do not fit the inputs and outputs, and `ExportError` if trials contradict
    them.
    """
    if source.fixed_axes:
        return source.fixed_axes
    if source.axes is None:
        return tuple(find_axes(attempt, source.shapes, source.multiple))
    letters = input_letters(source, source.axes)
    outputs = _output_letters(attempt, source, source.axes)
    lead = leading(source.shapes)
    beside = {number: stated for number, stated in enumerate(letters) if stated and number != lead}
    axes = tuple(find_axes(attempt, source.shapes, source.multiple, letters[lead], beside))
    if (stated := letters[lead]) is not None:
        _refuse_exchanged(attempt, source, stated, axes)
        for axis in axes:
            _refuse_other_followers(attempt, source, stated, axis, outputs)
    return axes


def batch_is_stated(source: Source) -> bool:
    """Return whether the first axis of the leading input may be the batch: its letters begin with N, or are not stated."""
    letters = input_letters(source, source.axes)[leading(source.shapes)] if source.axes else None
    return letters is None or letters[0] not in "CK"


def input_names(source: Source) -> list[str]:
    """Return the names that the inputs have in the graph."""
    count = len(source.example)
    graph = getattr(source.original, "model", None)
    if isinstance(graph, onnx.ModelProto):
        return [value.name for value in graph.graph.input]
    return ["image"] if count == 1 else list(_arguments(source.original))[:count]


def _arguments(original: Any) -> Sequence[str]:
    module = getattr(original, "module", None)
    if module is not None:
        return getattr(module, "input_names", None) or list(inspect.signature(module.forward).parameters)
    if hasattr(original, "program"):
        return [str(name) for name in original.program.graph_signature.user_inputs]
    return [tensor.name for tensor in original.model.inputs]


def input_letters(source: Source, layout: Layout) -> list[str | None]:
    """Return the letters of each input, `None` for those that the layout does not state."""
    lead, names = leading(source.shapes), input_names(source)
    pairs = enumerate(zip(names, source.shapes, strict=True))
    return [layout.input(name, 0 if number == lead else 1, len(shape)) for number, (name, shape) in pairs]


def _output_letters(attempt: Try, source: Source, layout: Layout) -> list[str | None]:
    made = attempt(source.shapes) or ()
    names = _output_names(source, len(made))
    known = {*input_names(source), "image", *names}
    for name in layout.axes:
        if name not in known:
            raise ParameterError(f"--axes names {name}, but {source.name} has {', '.join(sorted(known))}; give one of these")
    letters = [layout.axes.get(name) for name in names]
    for name, stated, shape in zip(names, letters, made, strict=True):
        if stated is not None and len(stated) != len(shape):
            raise ParameterError(
                f"--axes states {name}:{stated}, but the output has {len(shape)} axes; give one letter for each axis"
            )
    return letters


def _output_names(source: Source, count: int) -> list[str]:
    graph = getattr(source.original, "model", None)
    if isinstance(graph, onnx.ModelProto):
        return [value.name for value in graph.graph.output]
    return ["output"] if count == 1 else [f"output_{number}" for number in range(count)]


def _refuse_exchanged(attempt: Try, source: Source, letters: str, axes: Sequence[InputAxis]) -> None:
    """Raise `ExportError` if an axis that is stated as free has one length only, and one stated as fixed is free."""
    fixed = next((axis for axis in axes if axis.inputs[0] == leading(source.shapes) and not axis.free), None)
    if fixed is None:
        return
    for index, letter in enumerate(letters):
        if letter in "CK" and find_axis(attempt, source.shapes, index).free:
            raise ExportError(
                f"--axes states {letters} for the input, but its axis {fixed.index} ({letters[fixed.index]}) takes one length "
                f"only, and its axis {index} ({letter}) takes several; exchange the letters"
            )


def _refuse_other_followers(attempt: Try, source: Source, letters: str, axis: InputAxis, outputs: Sequence[str | None]) -> None:
    """Raise `ExportError` if an output axis with another letter changes with the length of an input axis."""
    if not axis.free or axis.inputs[0] != leading(source.shapes):
        return
    letter = letters[axis.index]
    before, after = _changed(attempt, source.shapes, axis)
    for number, (stated, old, new) in enumerate(zip(outputs, before, after, strict=True)):
        for place, (a, b) in enumerate(zip(old, new, strict=False)):
            if stated is not None and a != b and stated[place] not in (letter, *FOLLOWERS):
                raise ExportError(
                    f"--axes states {stated} for output {number}, but its axis {place} ({stated[place]}) follows axis "
                    f"{axis.index} ({letter}) of the input; exchange the letters"
                )


def _changed(attempt: Try, shapes: Shapes, axis: InputAxis) -> tuple[Shapes, Shapes]:
    """Return the output shapes of the example, and of a longer input that the size law covers."""
    multiple = axis.law.multiple if axis.law else 1
    length = round_up(shapes[axis.inputs[0]][axis.index] + multiple, multiple)
    before, longer = attempt(shapes), axis.resized(shapes, length)
    after = attempt(longer) if longer is not None else None
    return (before, after) if before is not None and after is not None else ((), ())
