"""The number formats in which tensors of pictures travel: float32, float16, or 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upconv.runtime.contract import Pixels
from upconv.runtime.options import NumberFormat
from upconv.runtime.session import Tensor

DATATYPES: dict[NumberFormat, str] = {"fp32": "FP32", "fp16": "FP16", "uint8": "UINT8"}
"""The names that the Open Inference Protocol gives the number formats."""

DTYPES: dict[NumberFormat, np.dtype[Any]] = {"fp32": np.dtype("<f4"), "fp16": np.dtype("<f2"), "uint8": np.dtype("u1")}
"""Their numpy types."""


def to_format(tensor: Tensor, format: NumberFormat, pixels: Pixels, *, overwrite: bool = False) -> NDArray[Any]:
    """Return a tensor in a number format. For `uint8`, black and white of `pixels` become 0 and 255, rounded and clipped.

    `overwrite` allows that the values of `tensor` are lost, which saves a copy.
    """
    if format == "uint8":
        tensor = to_levels(tensor if overwrite else tensor.copy(), pixels, np.uint8)
    return tensor.astype(DTYPES[format], copy=False)


def from_format(values: NDArray[Any], format: NumberFormat, pixels: Pixels) -> Tensor:
    """Return values in a number format as a tensor; those of `uint8` in the range of `pixels`. It may be `values` itself."""
    tensor: Tensor = values.astype(np.float32, copy=False)
    return from_levels(tensor, pixels, np.uint8) if format == "uint8" else tensor


def from_levels(values: Tensor, pixels: Pixels, dtype: DTypeLike) -> Tensor:
    """Change whole numbers in the range of `dtype` into values of the range of `pixels`; return them."""
    values *= np.float32((pixels.high - pixels.low) / np.iinfo(dtype).max)
    if pixels.low:
        values += np.float32(pixels.low)
    return values


def to_levels(values: Tensor, pixels: Pixels, dtype: DTypeLike) -> Tensor:
    """Change values of the range of `pixels` into whole numbers in the range of `dtype`, rounded and clipped; return them."""
    white = np.iinfo(dtype).max
    if pixels.low:
        values -= np.float32(pixels.low)
    values *= np.float32(white / (pixels.high - pixels.low))
    np.rint(values, out=values)
    np.clip(values, 0, white, out=values)
    return values
