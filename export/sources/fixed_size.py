"""One height and width, which the user asks for in place of free ones."""

from __future__ import annotations

from dataclasses import replace

from upconv.export.distributions import continued
from upconv.export.sizes import InputAxis, Shapes, leading
from upconv.export.sources.source import Source
from upconv.export.sources.stated_axes import input_letters
from upconv.runtime.errors import SourceError

FixedSize = tuple[int, int]
"""A height and a width, in pixels."""


def at_fixed_size(source: Source, size: FixedSize) -> Source:
    """Return the source with an example of this height and width, which are the only ones.

    Other inputs with as many axes grow in proportion. Raises `SourceError` if the input has no height and width, or if another
    input would not have a whole length.
    """
    if min(size) < 1:
        raise SourceError(f"--fixed must be a height and a width of at least 1 pixel; got {size[0]}x{size[1]}")
    shapes: Shapes | None = source.shapes
    for axis, length in zip(_axes(source), size, strict=True):
        shapes = None if shapes is None else axis.resized(shapes, length)
    if shapes is None:
        given = " and ".join("x".join(map(str, shape)) for shape in source.shapes)
        raise SourceError(
            f"the inputs {given} keep their proportions, and at --fixed {size[0]}x{size[1]} one of them has no whole length; "
            "give a multiple of the example's size"
        )
    example = tuple(continued(array, shape) for array, shape in zip(source.example, shapes, strict=True))
    return replace(source, example=example, fixed_axes=_axes(source))


def _axes(source: Source) -> tuple[InputAxis, ...]:
    """Return the axes of height and width: those that the user states, or the last two of four."""
    lead = leading(source.shapes)
    letters = input_letters(source, source.axes)[lead] if source.axes else None
    rank = len(source.shapes[lead])
    letters = letters or ("NCHW" if rank == 4 else "")
    if "H" not in letters or "W" not in letters:
        raise SourceError(
            f"--fixed sets height and width, and {source.name} takes an input of {rank} axes without them; "
            "leave it out, or state the axes with --axes"
        )
    joint = (lead, *(number for number, shape in enumerate(source.shapes) if number != lead and len(shape) == rank))
    return tuple(InputAxis(letters.index(letter), None, free=False, inputs=joint) for letter in "HW")
