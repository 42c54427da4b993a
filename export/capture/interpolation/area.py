"""Adaptive average pooling, the operator of `area` interpolation, as a matrix product along each axis.

Output pixel i is the mean of the input pixels from `floor(i * n / m)` up to, but not including, `ceil((i + 1) * n / m)`.
Along each axis the output is A x with

    A[i, j] = 1 / (end_i - start_i)   if start_i <= j < end_i, else 0

torch's exporter fixes the window to its length for the example and gives wrong values at other sizes.
"""

from __future__ import annotations

from upconv.export.capture.interpolation.resize import Value, as_tensor, op


def adaptive_average(image: Value, sizes: Value) -> Value:
    """Write the pooling of the last axes, from (…, n, …) to (…, *sizes). `sizes` is a sequence."""
    rank = len(sizes)
    first = len(image.shape) - rank
    if all(isinstance(size, int) and size == 1 for size in sizes):
        return op.ReduceMean(image, op.Constant(value_ints=list(range(first, first + rank))), keepdims=1)
    target, given = as_tensor(sizes), op.Shape(image, start=first)
    result = image
    for axis in range(rank):
        at = op.Constant(value_int=axis)
        means = op.CastLike(_means(op.Gather(target, at, axis=0), op.Gather(given, at, axis=0)), image)
        result = _along(result, means, first + axis, len(image.shape))
    return result


def _means(length: Value, source: Value) -> Value:
    """Write the transpose of A, with the shape (n, m)."""
    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    place = op.Range(zero, length, one)
    start = op.Div(op.Mul(place, source), length)
    last = op.Add(op.Mul(op.Add(place, one), source), op.Sub(length, one))
    end = op.Div(last, length)
    pixel = op.Unsqueeze(op.Range(zero, source, one), op.Constant(value_ints=[1]))
    inside = op.And(op.GreaterOrEqual(pixel, start), op.Less(pixel, end))
    return op.Div(op.Cast(inside, to=1), op.Cast(op.Sub(end, start), to=1))


def _along(image: Value, matrix: Value, axis: int, rank: int) -> Value:
    """Write the product of `image` and `matrix` along one axis."""
    if axis == rank - 1:
        return op.MatMul(image, matrix)
    order = [*(n for n in range(rank) if n != axis), axis]
    back = [order.index(n) for n in range(rank)]
    return op.Transpose(op.MatMul(op.Transpose(image, perm=order), matrix), perm=back)
