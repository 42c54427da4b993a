"""Interleaving of low-resolution phases to one image, in the form that was measured to be fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnxscript import ir


def interleaved(op: Any, phases: Mapping[tuple[int, int], Any], scales: Sequence[int], like: ir.Value, name: str) -> Any:
    """Return the image (N, C, sh*H, sw*W) of the phases (N, C, H, W).

    Pixel (sh*i + r, sw*j + c) of the image is pixel (i, j) of `phases[r, c]`, and `scales` is (sh, sw). `like` is a tensor
    with the phases' height and width. Stacking on a new last axis and reshaping takes a few strided copies, while
    DepthToSpace copies single values.
    """
    rows, columns = scales

    def integers(values: list[int], label: str) -> Any:
        return op.initializer(ir.tensor(np.array(values, np.int64)), name=f"{name}_{label}")

    last, third, wide = integers([-1], "last"), integers([3], "third"), integers([0, 0, 0, -1], "wide")
    bands = []
    for row in range(rows):
        parts = [phases[row, column] for column in range(columns)]
        if columns == 1:
            bands.append(parts[0])
            continue
        stacked = op.Concat(*(op.Unsqueeze(part, last) for part in parts), axis=-1)
        bands.append(op.Reshape(stacked, wide))
    if rows == 1:
        return bands[0]
    stacked = op.Concat(*(op.Unsqueeze(band, third) for band in bands), axis=3)
    width = op.Mul(op.Shape(like, start=3, end=4), integers([columns], "columns"))
    return op.Reshape(stacked, op.Concat(integers([0, 0, -1], "high"), width, axis=0))
