"""Translations of operators that choose by order: adaptive maximum pooling, medians, k-th values and stable sorting.

Output pixel i of adaptive pooling from n to m pixels is the largest of the input pixels from `floor(i * n / m)` up to, but
not including, `ceil((i + 1) * n / m)`. The windows have unequal lengths: each row of an index matrix lists one window, and
repeats the last pixel up to the length of the longest one, which changes no maximum. Rows and columns follow each other:

    before    adaptive_max_pool2d(x, (m, m'))
    after     for each axis: Gather(x, windows), then ReduceMax over a window

torch's exporter has no translation of these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram

from upconv.export.capture.interpolation.resize import Value, as_tensor, op
from upconv.runtime.errors import ExportError

aten = torch.ops.aten

POOLS = (aten.adaptive_max_pool1d.default, aten.adaptive_max_pool2d.default, aten.adaptive_max_pool3d.default)


def refuse_places(program: ExportedProgram) -> None:
    """Raise `ExportError` if the program uses the places of the largest values of an adaptive pooling."""
    for node in program.graph.nodes:
        if node.target in POOLS and any(user.args[1] == 1 and user.users for user in node.users):
            raise ExportError(
                f"the places that {node.target.name().removeprefix('aten::')} returns have no form in ONNX; "
                "call it without return_indices"
            )


def adaptive_maximum(image: Value, output_size: Sequence[Any]) -> tuple[Value]:
    """Write the pooling of the last axes, from (…, n, …) to (…, *output_size)."""
    rank = len(output_size)
    first = len(image.shape) - rank
    if all(isinstance(size, int) and size == 1 for size in output_size):
        return (op.ReduceMax(image, op.Constant(value_ints=list(range(first, first + rank))), keepdims=1),)
    target, given = as_tensor(output_size), op.Shape(image, start=first)
    for axis in range(rank):
        at = op.Constant(value_int=axis)
        windows = _windows(op.Gather(target, at, axis=0), op.Gather(given, at, axis=0))
        place = first + axis
        image = op.ReduceMax(op.Gather(image, windows, axis=place), op.Constant(value_ints=[place + 1]), keepdims=0)
    return (image,)


def _windows(length: Value, source: Value) -> Value:
    """Write the pixels of each window, with the shape (m, longest)."""
    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    place = op.Range(zero, length, one)
    start = op.Div(op.Mul(place, source), length)
    end = op.Div(op.Add(op.Mul(op.Add(place, one), source), op.Sub(length, one)), length)
    longest = op.ReduceMax(op.Sub(end, start), keepdims=0)
    second = op.Constant(value_ints=[1])
    pixels = op.Add(op.Unsqueeze(start, second), op.Range(zero, longest, one))
    return op.Min(pixels, op.Sub(op.Unsqueeze(end, second), one))


def median_along(image: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    """Write `torch.median(x, dim)`: the lower of the two middle values, and its index."""
    length = op.Shape(image, start=dim % len(image.shape), end=dim % len(image.shape) + 1)
    one, two = op.Constant(value_ints=[1]), op.Constant(value_ints=[2])
    return _smallest(image, op.Div(op.Add(length, one), two), dim, keepdim)


def median(image: Value) -> Value:
    """Write `torch.median(x)` of all values."""
    flat = op.Reshape(image, op.Constant(value_ints=[-1]))
    length = op.Shape(flat)
    rank = op.Div(op.Add(length, op.Constant(value_ints=[1])), op.Constant(value_ints=[2]))
    values, _ = op.TopK(flat, rank, axis=0, largest=0, sorted=1)
    return op.Gather(values, op.Constant(value_int=-1), axis=0)


def kth_value(image: Value, k: Any, dim: int = -1, keepdim: bool = False) -> tuple[Value, Value]:
    """Write `torch.kthvalue(x, k, dim)`."""
    return _smallest(image, as_tensor([k]), dim, keepdim)


def stable_sort(image: Value, stable: bool = True, dim: int = -1, descending: bool = False) -> tuple[Value, Value]:
    """Write `torch.sort(x, dim, stable=True)`. TopK keeps the order of equal values, too."""
    axis = dim % len(image.shape)
    length = op.Shape(image, start=axis, end=axis + 1)
    values, places = op.TopK(image, length, axis=axis, largest=int(descending), sorted=1)
    return values, places


def _smallest(image: Value, rank: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
    values, places = op.TopK(image, rank, axis=dim, largest=0, sorted=1)
    last = op.Constant(value_ints=[-1]) if keepdim else op.Constant(value_int=-1)
    return op.Gather(values, last, axis=dim), op.Gather(places, last, axis=dim)


ORDER: dict[Callable[..., Any], Callable[..., Any]] = {
    **dict.fromkeys(POOLS, adaptive_maximum),
    aten.median.dim: median_along,
    aten.median.default: median,
    aten.kthvalue.default: kth_value,
    aten.sort.stable: stable_sort,
}
"""Translations by torch operator, for `custom_translation_table` of `torch.onnx.export`."""
