"""Narrower sizes to try if a graph does not hold at all sizes of its laws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from upconv.export.sizes import InputAxis
from upconv.runtime.rounding import round_up

FACTORS = (2, 4, 8, 16, 32, 64)
"""The multiples that are tried, as multiples of those of the laws."""


def narrower_sizes(axes: Sequence[InputAxis]) -> Iterator[tuple[tuple[InputAxis, ...], str]]:
    """Yield axes with ever larger multiples, then axes of one size, each with its description in words.

    A trace at even lengths follows another path through the module than one at odd lengths, as in a U-Net that pads.
    """
    lawful = [axis.law for axis in axes if axis.free and axis.law is not None]
    if len(lawful) == sum(axis.free for axis in axes) and lawful:
        for factor in FACTORS:
            narrower = tuple(_multiplied(axis, factor) for axis in axes)
            words = " and ".join(dict.fromkeys(str(axis.law.multiple) for axis in narrower if axis.free and axis.law))
            if all(axis.law is None or axis.law.fitted_down(1 << 30) for axis in narrower):
                yield narrower, f"only multiples of {words}"
    if any(axis.free for axis in axes):
        yield tuple(InputAxis(axis.index, None, free=False, inputs=axis.inputs) for axis in axes), "one size only"


def _multiplied(axis: InputAxis, factor: int) -> InputAxis:
    if not axis.free or axis.law is None:
        return axis
    multiple = axis.law.multiple * factor
    return replace(
        axis,
        law=axis.law.model_copy(update={"multiple": multiple, "minimum": round_up(axis.law.minimum, multiple)}),
    )
