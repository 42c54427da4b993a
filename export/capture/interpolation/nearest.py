"""Modes `nearest` and `nearest-exact`, as `Resize` if its pixels equal torch's, else as `Gather`.

torch takes pixel `floor(i * fl(1 / scale))`, or `floor((i + 0.5) * fl(1 / scale))`, with fl the rounding to float32. Runtimes
divide by the scale. If `i / scale` is a whole number, one of the two can round below it and take the pixel before: 2 pixels
resized to 82 differ at pixel 41. In 2-d, but not in 1-d or 3-d, `nearest` uses the step 1 if the length stays and 1/2 if it
doubles, for any given scale (ATen/native/UpSample.h, `nearest_neighbor_compute_source_index`). For a constant scale, all
pixels up to `LONGEST` are compared once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from onnxscript import FLOAT, INT64

from upconv.export.capture.interpolation.resize import LONGEST, Value, as_tensor, by_scales, lengths, op, same_lengths

Scales = Sequence[float] | None


def nearest(image: Value, sizes: Value, scales: Scales, *, exact: bool) -> Value:
    """Write the nearest-neighbour resize from (N, C, n, …) to (N, C, m, …).

    `exact` selects `nearest-exact`, which measures from the centres of the pixels.
    """
    shift, shortcut = 0.5 if exact else 0.0, not exact and len(image.shape) == 4
    if scales is not None and all(_resize_agrees(scale, shift, shortcut) for scale in scales):
        return by_scales(image, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    if scales is not None and exact and all(_is_power_of_two(scale) for scale in scales):
        how = {"coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
        return by_scales(image, scales, mode="nearest", **how)
    return _gathered(image, sizes, scales, shift, shortcut)


@cache
def _resize_agrees(scale: float, shift: float, shortcut: bool) -> bool:
    """Return whether `Resize` with `asymmetric` and `floor` gives the length and the pixels of torch.

    The scale is always a float32, but some runtimes divide in float64, and there 17 / 1.7 is less than 10.
    """
    place: NDArray[np.float32] = np.arange(LONGEST, dtype=np.float32)
    torch_takes = np.floor((place + np.float32(shift)) * np.float32(1 / scale))
    divisors = (np.float32(scale), np.float64(np.float32(scale)))
    if not same_lengths(scale) or not all(np.array_equal(torch_takes, np.floor(place / by)) for by in divisors):
        return False
    return not shortcut or _shortcuts_agree(scale, torch_takes)


def _shortcuts_agree(scale: float, taken: NDArray[np.float32]) -> bool:
    place = np.arange(LONGEST)
    lengths = np.arange(1, LONGEST)
    made = np.floor(lengths * scale)
    for multiple in (1, 2):
        longest = int(lengths[made == multiple * lengths].max(initial=0)) * multiple
        if not np.array_equal(taken[:longest], place[:longest] // multiple):
            return False
    return True


def _is_power_of_two(scale: float) -> bool:
    return bool(np.frexp(scale)[0] == 0.5)


def _gathered(image: Value, sizes: Value, scales: Scales, shift: float, shortcut: bool) -> Value:
    """Write the resize as a `Gather` of indices along each axis, the last axis first."""
    target = as_tensor(sizes) if scales is None else lengths(image, scales)
    given = op.Shape(image, start=2)
    rank = len(image.shape) - 2
    result = image
    for axis in reversed(range(rank)):
        at = op.Constant(value_int=axis)
        length, source = op.Gather(target, at, axis=0), op.Gather(given, at, axis=0)
        step = _step(length, source, None if scales is None else scales[axis])
        if scales is not None and shortcut:
            step = _shortened(length, source, step)
        result = op.Gather(result, _indices(length, source, step, shift), axis=axis + 2)
    return result


def _step(length: Value, source: Value, scale: float | None) -> Value:
    """Write the step in input pixels per output pixel, rounded as in torch."""
    if scale is not None:
        return op.Constant(value_float=float(np.float32(1 / scale)))
    return op.Div(op.Cast(source, to=FLOAT.dtype), op.Cast(length, to=FLOAT.dtype))


def _shortened(length: Value, source: Value, step: Value) -> Value:
    """Write the step 1 if the length stays, 1/2 if it doubles, else `step`."""
    doubled = op.Where(op.Equal(length, op.Add(source, source)), op.Constant(value_float=0.5), step)
    return op.Where(op.Equal(length, source), op.Constant(value_float=1.0), doubled)


def _indices(length: Value, source: Value, step: Value, shift: float) -> Value:
    one = op.Constant(value_int=1)
    place = op.Cast(op.Range(op.Constant(value_int=0), length, one), to=FLOAT.dtype)
    if shift:
        place = op.Add(place, op.Constant(value_float=shift))
    found = op.Cast(op.Floor(op.Mul(place, step)), to=INT64.dtype)
    return op.Min(found, op.Sub(source, one))
