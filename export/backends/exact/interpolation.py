"""Resize as one matrix per axis.

The definition is https://onnx.ai/onnx/operators/onnx__Resize.html. Output pixel y is at position x = place(y) of the input.
Each row of a matrix holds the weights of a filter around x. Indices beyond the edge count for the edge pixel, or not at
all with `exclude_outside`. With `antialias` and a scale below 1, the filter is stretched by 1 / scale and its weights are
normalized to a sum of 1.

    nearest   1 at x rounded by `nearest_mode`
    linear    1 - |d|                                      for |d| <= 1
    cubic     (a + 2)|d|^3 - (a + 3)|d|^2 + 1              for |d| <= 1
              a|d|^3 - 5a|d|^2 + 8a|d| - 4a                for |d| <  2        (Keys 1981, equation 15, a = -0.75)

Positions and weights are computed in the precision of the data, because their rounding is part of the error of float32.
Mode `nearest` computes positions in float64, because a rounded position can select another pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx.reference.op_run import OpRun

from upconv.export.backends.exact.windows import Array


class Resize(OpRun):
    """Resampling to other lengths, along any axes."""

    def _run(
        self, x: Array, roi: Array | None = None, scales: Array | None = None, sizes: Array | None = None, **attributes: Any
    ) -> tuple[Array]:
        axes = [axis % x.ndim for axis in attributes.get("axes") or range(x.ndim)]
        result = x
        given = None if scales is None or scales.size == 0 else scales
        lengths, rates = _lengths([x.shape[axis] for axis in axes], given, sizes, attributes.get("keep_aspect_ratio_policy"))
        outside = np.zeros((1,) * x.ndim, bool)
        kind = np.dtype(np.float64) if attributes["mode"] == "nearest" else _working(x)
        for number, axis in enumerate(axes):
            span = (0.0, 1.0) if roi is None or roi.size == 0 else (float(roi[number]), float(roi[number + len(axes)]))
            one = ResizedAxis(x.shape[axis], lengths[number], rates[number], span, kind)
            places = one.places(attributes["coordinate_transformation_mode"])
            if lengths[number] != x.shape[axis] or not np.array_equal(places, np.arange(x.shape[axis])):
                result = _applied(one.matrix(places, attributes), result, axis)
            if attributes["coordinate_transformation_mode"] == "tf_crop_and_resize":
                beyond = (places < 0) | (places > x.shape[axis] - 1)
                outside = outside | beyond.reshape([-1 if n == axis else 1 for n in range(x.ndim)])
        result = np.where(outside, attributes["extrapolation_value"], result) if outside.any() else result
        return (_as(result, x.dtype),)


@dataclass(frozen=True)
class ResizedAxis:
    """One axis that is resized."""

    length: int
    """Length of the input."""
    output_length: int
    rate: float
    """Output pixels per input pixel."""
    span: tuple[float, float]
    """The region of interest, for `tf_crop_and_resize`."""
    kind: np.dtype[Any]
    """The dtype of positions and weights."""

    def places(self, mode: str) -> Array:
        """Return the position of each output pixel in the input, in input pixels.

        `mode` is the `coordinate_transformation_mode` of the operator.
        """
        y: Array = np.arange(self.output_length, dtype=self.kind)
        one = self.kind.type  # keeps float32 from becoming float64
        whole, last = self.rate * self.length, self.length - 1
        places: Array = (y + one(0.5)) / one(self.rate) - one(0.5)
        if mode == "asymmetric":
            places = y / one(self.rate)
        elif mode == "align_corners":
            places = np.zeros_like(y) if whole == 1 else y * one(last) / one(whole - 1)
        elif mode == "tf_crop_and_resize":
            start, end = self.span
            step = (end - start) * last / max(1, self.output_length - 1)
            places = one(start * last) + y * one(step) if self.output_length > 1 else np.full_like(y, (start + end) * last / 2)
        elif mode == "pytorch_half_pixel" and self.output_length == 1:
            places = np.zeros_like(y)
        elif mode == "half_pixel_symmetric":
            places = places + one(self.length / 2 * (1 - self.output_length / whole))
        return places

    def matrix(self, places: Array, attributes: dict[str, Any]) -> Array:
        """Return the weights of every input pixel (columns) for every output pixel (rows)."""
        rows = np.zeros((self.output_length, self.length), self.kind)
        if attributes["mode"] == "nearest":
            chosen = np.clip(_ROUNDED[attributes["nearest_mode"]](places), 0, self.length - 1).astype(int)
            rows[np.arange(self.output_length), chosen] = 1
            return rows
        cubic = attributes["mode"] == "cubic"
        squeeze = min(1.0, self.rate) if attributes.get("antialias") else 1.0
        radius = int(np.ceil((2 if cubic else 1) / squeeze))
        taps = np.floor(places)[:, None] + np.arange(-radius, radius + 1, dtype=self.kind)
        distance = np.abs(taps - places[:, None]) * self.kind.type(squeeze)
        weights = _cubic(distance, attributes["cubic_coeff_a"]) if cubic else np.maximum(0, 1 - distance)
        if attributes.get("exclude_outside"):
            weights = np.where((taps < 0) | (taps >= self.length), 0, weights)
        if attributes.get("exclude_outside") or squeeze < 1:
            weights = weights / weights.sum(axis=1, keepdims=True)
        columns = np.clip(taps, 0, self.length - 1).astype(int)
        np.add.at(rows, (np.arange(self.output_length)[:, None], columns), weights.astype(self.kind))
        return rows


_ROUNDED: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def _cubic(distance: Array, a: float) -> Array:
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    weights: Array = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    return weights


def _lengths(
    lengths: list[int], scales: Array | None, sizes: Array | None, policy: str | None
) -> tuple[list[int], list[float]]:
    """Return the output lengths and the scales along the resized axes."""
    if scales is not None:
        rates = [float(scale) for scale in scales]
        return [int(np.floor(n * rate)) for n, rate in zip(lengths, rates, strict=True)], rates
    assert sizes is not None
    rates = [int(size) / n for size, n in zip(sizes, lengths, strict=True)]
    if policy not in ("not_larger", "not_smaller"):
        return [int(size) for size in sizes], rates
    rate = min(rates) if policy == "not_larger" else max(rates)
    return [int(np.floor(rate * n + 0.5)) for n in lengths], [rate] * len(lengths)


def _applied(matrix: Array, array: Array, axis: int) -> Array:
    made: Array = np.moveaxis(np.tensordot(matrix, array.astype(matrix.dtype), axes=(1, axis)), 0, axis)
    return made


def _working(x: Array) -> np.dtype[Any]:
    return x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float32)


def _as(array: Array, kind: np.dtype[Any]) -> Array:
    if np.issubdtype(kind, np.integer):
        limits = np.iinfo(kind)
        return np.clip(np.rint(array), limits.min, limits.max).astype(kind)
    return array.astype(kind)
