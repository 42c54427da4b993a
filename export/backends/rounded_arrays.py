"""Random rounding to float32 of arrays in float64; `random_rounding` states the method."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DIGITS = 24
"""The binary digits of float32."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest value of float32; larger values stay as they are."""

SUMMING_NODES = frozenset(
    {"Conv", "ConvTranspose", "MatMul", "Gemm", "Einsum", "ReduceMean", "ReduceSum", "ReduceL2", "ReduceSumSquare", "CumSum"}
    | {"GlobalAveragePool", "AveragePool", "Softmax", "LogSoftmax", "LayerNormalization", "GroupNormalization"}
    | {"InstanceNormalization", "BatchNormalization", "Resize", "GridSample", "ReduceLogSumExp", "ReduceProd", "DFT"}
)
"""The operators of ONNX that sum several terms, each with roundings of its own."""


class RandomlyRoundedArrays:
    """Roundings of arrays to float32, up or down at random."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def scattered(self, value: Any) -> Any:
        """Return an array whose values are off by up to half a unit in the last place; other values stay."""
        return value * (1 + self._uniform(value) * 2.0 ** (1 - DIGITS)) if _is_double(value) else value

    def rounded(self, value: Any) -> Any:
        """Return an array whose values are rounded to float32 at random; other values stay."""
        if not _is_double(value):
            return value
        with np.errstate(all="ignore"):
            moved = value + np.ldexp(self._uniform(value), np.frexp(value)[1] - DIGITS)
            exact = (value.astype(np.float32) == value) | (np.abs(value) > LARGEST)
            return np.where(exact, value, moved.astype(np.float32).astype(np.float64))

    def exact(self, value: Any) -> bool:
        """Return whether float32 holds every value of the array."""
        with np.errstate(all="ignore"):
            return not _is_double(value) or bool(np.array_equal(value.astype(np.float32), value, equal_nan=True))

    def _uniform(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._random.random(value.shape) - 0.5


def _is_double(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.float64
