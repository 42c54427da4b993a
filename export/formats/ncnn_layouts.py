"""The layers of ncnn for matrices and for the order of axes: MatMul, InnerProduct, Permute and Reshape.

The axes of a blob have letters: W, HW, CHW or CDHW, by their number. Reshape copies an axis by its letter, and ONNX copies it by
its number, so the two agree only if both tensors have the same number of axes.
"""

from __future__ import annotations

from math import prod

import numpy as np

from upconv.export.formats.ncnn_operator import Lengths, OnnxOperator, WrittenLayer
from upconv.export.sources.ncnn.layout_layers import LETTERS, ORDERS

_LENGTHS = {"W": 0, "H": 1, "C": 2, "D": 11}
"""The parameters of Reshape that state the lengths."""
LONGEST_RANK = 5
"""The largest number of axes of a tensor whose blob has four."""


def permuted(operator: OnnxOperator) -> WrittenLayer:
    """Return Permute for a tensor of three or four axes; raises `ExportError` if the batch moves."""
    order = [int(n) for n in operator.attributes.get("perm", range(len(operator.shape))[::-1])]
    if order[0] != 0 or len(order) not in (3, 4):
        raise operator.refused(f"orders the axes as {order}, and ncnn orders two or three axes after the batch")
    letters = LETTERS[len(order) - 1]
    wanted = "".join(letters[axis - 1] for axis in reversed(order[1:]))
    kinds = ["".join(letter for letter in name if letter in letters) for name in ORDERS]
    return WrittenLayer("Permute", {0: kinds.index(wanted)})


def reshaped(operator: OnnxOperator) -> WrittenLayer:
    """Return Reshape; raises `ExportError` if the lengths are not constant, or if the batch changes."""
    stated = operator.constant(1)
    if stated is None:
        raise operator.refused("has lengths that depend on the picture; state one size with --fixed")
    lengths = [int(n) for n in stated]
    if not 2 <= len(lengths) <= LONGEST_RANK or not _keeps_batch(lengths, operator.shape):
        raise operator.refused(f"reshapes to {lengths}, and ncnn keeps the batch and has at most four other axes")
    letters = LETTERS[len(lengths) - 1]
    return WrittenLayer(
        "Reshape", {_LENGTHS[letter]: _length(operator, lengths, axis + 1) for axis, letter in enumerate(letters)}
    )


def _keeps_batch(lengths: list[int], shape: Lengths) -> bool:
    """Return true if the first axis of the result is the batch."""
    if lengths[0] == 0 or (lengths[0] == 1 and shape[0] == 1):
        return True
    before = [length for length in shape[1:] if length is not None]
    after = [shape[n] if length == 0 and n < len(shape) else length for n, length in enumerate(lengths)][1:]
    known = len(before) == len(shape) - 1 and None not in after and -1 not in after
    return lengths[0] in (-1, 1) and known and prod(before) == prod(n or 1 for n in after)


def _length(operator: OnnxOperator, lengths: list[int], axis: int) -> int:
    """Return a length as Reshape states it: 0 copies the axis, -1 is the rest."""
    if lengths[axis] != 0:
        return lengths[axis]
    if axis >= len(operator.shape):
        raise operator.refused(f"copies the axis {axis}, which its input does not have")
    known = operator.shape[axis]
    if known is None and len(operator.shape) != len(lengths):
        raise operator.refused("copies a length of the picture to another number of axes; state one size with --fixed")
    return known or 0


def matrix_product(operator: OnnxOperator) -> WrittenLayer:
    """Return MatMul of two blobs, or InnerProduct of the rows of a blob with a constant matrix."""
    weights = operator.constant(1)
    if operator.constant(0) is not None:
        raise operator.refused("multiplies a constant from the left")
    if weights is None:
        ranks = {len(shape) for shape in operator.shapes if shape is not None}
        if len(ranks) != 1 or max(ranks) < 3:
            raise operator.refused(
                f"multiplies tensors with {' and '.join(map(str, sorted(ranks)))} axes; ncnn needs equal numbers"
            )
        return WrittenLayer("MatMul")
    if weights.ndim != 2 or len(operator.shape) not in (2, 3):
        raise operator.refused(f"multiplies {len(operator.shape)} axes with a constant of the shape {weights.shape}")
    return WrittenLayer("InnerProduct", {0: weights.shape[1], 1: 0, 2: weights.size}, np.ascontiguousarray(weights.T))
