"""Inputs in another order: the cause of a difference that no node shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice, permutations

import numpy as np

from upconv.export.backends import Array, Backend
from upconv.export.sizes import Shapes
from upconv.export.verdict import Outputs, error
from upconv.runtime.errors import ExportError

MOST_ORDERS = 24
"""The number of orders that are tried: all orders of four inputs."""
NEAR = 1e-3
"""The largest difference of outputs that count as equal, as a fraction of their range."""
FARTHER = 10.0
"""The factor by which the outputs of the right order must be farther away."""


def swapped_inputs(original: Backend, inputs: Sequence[Array], got: Outputs) -> tuple[int, ...] | None:
    """Return the order of inputs for which the original gives the outputs `got`, or `None`.

    The order of the inputs themselves does not count, and neither do orders that give the same outputs. Only inputs of one
    shape and type can be taken for each other.
    """
    own = tuple(range(len(inputs)))
    right = _distance(_run(original, inputs), got)
    for order in islice(permutations(own), MOST_ORDERS):
        if order == own or any(_kind(inputs[n]) != _kind(inputs[m]) for n, m in zip(own, order, strict=True)):
            continue
        distance = _distance(_run(original, [inputs[n] for n in order]), got)
        if distance <= NEAR and distance * FARTHER < right:
            return order
    return None


def accepted_order(shapes: Sequence[Shapes], accepts: Callable[[Shapes], bool]) -> tuple[int, ...] | None:
    """Return the first order of inputs for which a model accepts one of `shapes`, in the sense of `swapped_inputs`, or `None`."""
    places = range(len(shapes[0])) if shapes else range(0)
    for order in islice(permutations(places), MOST_ORDERS) if len(places) > 1 else ():
        if any(accepts(tuple(each[order.index(n)] for n in places)) for each in shapes):
            return order
    return None


def _kind(array: Array) -> tuple[object, ...]:
    return array.shape, array.dtype


def _run(original: Backend, inputs: Sequence[Array]) -> Outputs | None:
    try:
        return original.run(list(inputs))
    except ExportError:
        return None


def _distance(exact: Outputs | None, got: Outputs) -> float:
    """Return the largest difference as a fraction of the range; infinite if the outputs cannot be compared."""
    if exact is None or [x.shape for x in exact] != [y.shape for y in got]:
        return float("inf")
    spans = (float(np.ptp(x)) or 1.0 for x in exact)
    distance = max((error(x, y) / span for x, y, span in zip(exact, got, spans, strict=True)), default=float("inf"))
    return distance if np.isfinite(distance) else float("inf")
