"""Fitting a size law to the lengths of trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from upconv.export.sizes.axis import Shapes
from upconv.runtime.contract import MAX_LENGTH, SizeLaw
from upconv.runtime.errors import ExportError

Length = Callable[[int], int | None]
"""Returns the output length for an input length, or `None` if the model refuses it."""

FAR_LENGTHS = (257, 509, 1054)
"""Input lengths at which every law is checked, rounded up to its multiple."""
NEAR = 24
"""The number of lengths above the minimum at which a law is checked."""


def following(results: Sequence[Shapes], index: int) -> tuple[int, int] | None:
    """Return the output and its axis whose length changes between results, the first output's axis `index` if it does.

    Returns `None` if none changes, or if the results differ in their number of axes.
    """
    ranks = [[len(shape) for shape in shapes] for shapes in results]
    if any(rank != ranks[0] for rank in ranks):
        return None
    places = [(0, index), *((o, a) for o, rank in enumerate(ranks[0]) for a in range(rank))]
    return next((p for p in places if p[1] < ranks[0][p[0]] and len({s[p[0]][p[1]] for s in results}) > 1), None)


def line(sizes: Sequence[int], results: Sequence[int], multiple: int) -> SizeLaw | None:
    """Return the law through all results, or `None` if they are not on one rising line of whole lengths."""
    scale = (results[-1] - results[0]) / (sizes[-1] - sizes[0])
    offset = round(results[0] - scale * sizes[0])
    if scale <= 0 or any(round(scale * n) + offset != r for n, r in zip(sizes, results, strict=True)):
        return None
    law = SizeLaw(scale=scale, offset=offset, multiple=multiple)
    # A slope that fits only after rounding is not a law: the pixels of such sizes lie at other positions.
    return law if all(math.isclose(scale * n, round(scale * n), abs_tol=1e-6) for n in sizes) else None


def with_bounds(law: SizeLaw, base: int, out: Length) -> SizeLaw:
    """Return the law with the lengths from which, and up to which, it holds; it holds at `base`.

    Raises `ExportError` if the shortest length is more than a contract can state.
    """
    minimum = _minimum(law, base, out)
    if minimum > MAX_LENGTH:
        raise ExportError(
            f"the model needs inputs of at least {minimum} pixels per side; a contract allows {MAX_LENGTH} at most"
        )
    bounded = law.model_copy(update={"minimum": minimum})
    return bounded.model_copy(update={"maximum": _maximum(bounded, base, out)})


def _minimum(law: SizeLaw, base: int, out: Length) -> int:
    """Return the smallest length from which the law holds, by bisection below `base`, and by the lengths after it."""
    fails, holds = 0, base // law.multiple

    def right(count: int) -> bool:
        return out(count * law.multiple) == law.output(count * law.multiple)

    while holds - fails > 1:
        middle = (fails + holds) // 2
        if right(middle):
            holds = middle
        else:
            fails = middle
    for count in range(min(holds + NEAR, base // law.multiple), holds, -1):
        if not right(count):
            return (count + 1) * law.multiple
    return holds * law.multiple


def _maximum(law: SizeLaw, base: int, out: Length) -> int | None:
    """Return the largest length up to which the law holds, or `None` if it holds at every far length."""
    holds = base
    for far in (law.fitted(length) for length in FAR_LENGTHS if length > base):
        if out(far) != law.output(far):
            return _last(law, holds, far, out)
        holds = far
    return None


def _last(law: SizeLaw, holds: int, fails: int, out: Length) -> int:
    while fails - holds > law.multiple:
        middle = law.multiple * ((holds + fails) // 2 // law.multiple)
        holds, fails = (middle, fails) if out(middle) == law.output(middle) else (holds, middle)
    return holds
