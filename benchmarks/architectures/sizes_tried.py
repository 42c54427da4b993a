"""The sizes at which a graph is compared with torch: those that it accepts, near the example and far from it."""

from __future__ import annotations

from collections.abc import Sequence

from upconv.runtime.contract import Contract, SizeLaw

Shape = tuple[int, ...]
Dim = int | str | None
STEPS = ((0, 0, 0), (1, 2, 0), (3, 1, 2), (9, 5, 1))
"""Steps beyond the example along each axis: the example, two near sizes and a far one; none of them is square, but the first."""
VOLUME_STEPS = ((0, 0, 0), (1, 0, 1), (2, 1, 0))
BATCHES = (1, 2, 1, 1)


def shapes_tried(example: Shape, dims: Sequence[Dim], step: int, laws: dict[int, SizeLaw]) -> list[Shape]:
    """Return the shapes of the first input that a graph with these dims accepts, without duplicates.

    `dims` holds a number for each constant axis of the graph. `laws` are the size laws by axis; an axis without one varies by `step`.
    """
    shapes: list[Shape] = []
    for steps, batch in zip(VOLUME_STEPS if len(example) > 4 else STEPS, BATCHES, strict=False):
        shape = [batch, *example[1:]]
        for axis in range(2, len(example)):
            law = laws.get(axis)
            beyond = steps[axis - 2]
            stride = max(step, law.multiple) if law and step % law.multiple else step
            wanted = example[axis] + beyond * stride
            # One more multiple of the law, so that lengths which the contract allows and `step` does not are tried, too.
            wanted += beyond * (law.multiple if law else 0)
            fitted = law.fitted(wanted) if law else wanted
            shape[axis] = min(fitted, law.fitted_down(fitted) or fitted) if law else fitted
        shape = [dim if isinstance(dim, int) and dim > 0 else length for dim, length in zip(dims, shape, strict=True)]
        if tuple(shape) not in shapes:
            shapes.append(tuple(shape))
    return shapes


def laws_of(contract: Contract, rank: int) -> dict[int, SizeLaw]:
    """Return the size laws of a contract by input axis."""
    stated = {rank - 2: contract.height, rank - 1: contract.width}
    return {axis: law for axis, law in stated.items() if law is not None and axis > 1}
