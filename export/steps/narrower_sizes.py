"""Narrower sizes to try if a graph does not hold at all sizes of its laws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import onnx

from upconv.export.sizes import InputAxis
from upconv.runtime.rounding import round_up

FACTORS = (2, 4, 8, 16, 32, 64)
"""The multiples that are tried, as multiples of those of the laws."""


def narrower_sizes(axes: Sequence[InputAxis], stride: int = 1) -> Iterator[tuple[tuple[InputAxis, ...], str]]:
    """Yield axes with larger multiples, then axes of one size, each with its description in words.

    `stride` is tried first, then the multiples in `FACTORS`. A trace at even lengths follows another path through the module than one at odd lengths, as in a U-Net that pads.
    """
    lawful = [axis.law for axis in axes if axis.free and axis.law is not None]
    if len(lawful) == sum(axis.free for axis in axes) and lawful:
        for factor in dict.fromkeys([stride, *FACTORS] if stride > 1 else FACTORS):
            narrower = tuple(_multiplied(axis, factor) for axis in axes)
            words = " and ".join(dict.fromkeys(str(axis.law.multiple) for axis in narrower if axis.free and axis.law))
            if all(axis.law is None or axis.law.fitted_down(1 << 30) for axis in narrower):
                yield narrower, f"only multiples of {words}"
    if any(axis.free for axis in axes):
        yield tuple(InputAxis(axis.index, None, free=False, inputs=axis.inputs) for axis in axes), "one size only"


def total_stride(model: onnx.ModelProto) -> int:
    """Return the input pixels per feature at the coarsest level of a graph, at most the largest of `FACTORS`."""
    strides: dict[str, int] = {}
    for node in model.graph.node:
        before = max((strides.get(name, 1) for name in node.input), default=1)
        step = next((max(a.ints) for a in node.attribute if a.name == "strides" and a.ints), 1)
        if node.op_type == "ConvTranspose":
            step, before = 1, max(1, before // step)
        strides.update(dict.fromkeys(node.output, before * step))
    return min(max(strides.values(), default=1), FACTORS[-1])


def _multiplied(axis: InputAxis, factor: int) -> InputAxis:
    if not axis.free or axis.law is None:
        return axis
    multiple = axis.law.multiple * factor
    return replace(
        axis,
        law=axis.law.model_copy(update={"multiple": multiple, "minimum": round_up(axis.law.minimum, multiple)}),
    )
