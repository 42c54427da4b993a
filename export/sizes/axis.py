"""The axes of a model's inputs whose length can change."""

from __future__ import annotations

from dataclasses import dataclass

from upconv.runtime.contract import Contract, SizeLaw

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]
"""The shapes of all inputs, or of all outputs, in the model's order."""


@dataclass(frozen=True)
class InputAxis:
    """One axis of the inputs, with its size law."""

    index: int
    """The number of the axis; 0 is the batch."""
    law: SizeLaw | None
    """The size law, or `None` if no output axis follows the input by a law."""
    free: bool
    """Whether more than one size works."""
    inputs: tuple[int, ...] = (0,)
    """The numbers of the inputs that grow along this axis, the leading input first."""
    output: tuple[int, int] | None = None
    """The output and its axis that the law is about; `None` for the axis of the same number of the first output."""

    @property
    def target(self) -> tuple[int, int]:
        """The number of the output, and of its axis, that the law is about."""
        return self.output or (0, self.index)

    def resized(self, shapes: Shapes, length: int) -> Shapes | None:
        """Return `shapes` with this length of the leading input along the axis.

        The other inputs grow in proportion. Returns `None` if one of their lengths would not be a whole number.
        """
        lead = shapes[self.inputs[0]][self.index]
        result = list(shapes)
        for number in self.inputs:
            other, rest = divmod(shapes[number][self.index] * length, lead)
            if rest:
                return None
            result[number] = (*shapes[number][: self.index], other, *shapes[number][self.index + 1 :])
        return tuple(result)

    def made(self, outputs: Shapes) -> int | None:
        """Return the length of the output axis that the law is about; `None` if the outputs have no such axis."""
        number, axis = self.target
        return outputs[number][axis] if number < len(outputs) and axis < len(outputs[number]) else None


def leading(shapes: Shapes) -> int:
    """Return the number of the leading input, which size laws refer to.

    It is the first input with axes beyond batch and channels, or the first input if there is no such input.
    """

    return next((number for number, shape in enumerate(shapes) if len(shape) > 2), 0)


def axes_of(contract: Contract) -> tuple[InputAxis, ...]:
    """Return the height and width axes with the laws of a contract, or nothing if it has no laws."""
    laws = (contract.height, contract.width)
    return tuple(InputAxis(index, law, free=law is not None) for index, law in enumerate(laws, start=2)) if any(laws) else ()
