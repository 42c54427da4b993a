"""The parameters of those who send tiles: a tile in one piece, and smaller numbers on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime import Upscaler
from upconv.runtime.number_formats import DATATYPES, from_format, to_format
from upconv.runtime.options import NumberFormat
from upconv.runtime.tiling import TilingPlan
from upconv.service.errors import TensorError

FORMATS: dict[str, NumberFormat] = {name: format for format, name in DATATYPES.items()}
"""The number formats of inputs and outputs, by their names in the protocol."""


def plan(upscaler: Upscaler, parameters: Mapping[str, Any], height: int, width: int) -> TilingPlan:
    """Return the tiles of a tensor: one, if the parameter `one_piece` asks for it and memory allows it.

    Raises `TensorError` if the parameter is neither true nor false, and what `Engine.plan` raises.
    """
    wanted = parameters.get("one_piece", False)
    if not isinstance(wanted, bool):
        raise TensorError(f"the parameter one_piece must be true or false, not {str(wanted)[:40]!r}")
    return upscaler.engine.plan_piece(height, width) if wanted else upscaler.engine.plan(height, width)


def output_format(parameters: Mapping[str, Any]) -> NumberFormat:
    """Return the number format of the output, which the parameter `datatype` chooses. Raises `TensorError` for another one."""
    wanted = parameters.get("datatype", "FP32")
    if not isinstance(wanted, str) or wanted not in FORMATS:
        raise TensorError(f"the parameter datatype must be one of {', '.join(FORMATS)}, not {str(wanted)[:40]!r}")
    return FORMATS[wanted]


def input_tensor(values: NDArray[Any], datatype: str, upscaler: Upscaler) -> NDArray[np.float32]:
    """Return the values of an input as float32 in the range of the contract."""
    pixels = upscaler.model.contract.input
    assert pixels is not None
    return from_format(values, FORMATS[datatype], pixels)


def output_values(tensor: NDArray[np.float32], parameters: Mapping[str, Any], upscaler: Upscaler) -> NDArray[Any]:
    """Return an output in the number format that the request chooses. The values of `tensor` may be lost."""
    pixels = upscaler.model.contract.output
    assert pixels is not None
    return to_format(tensor, output_format(parameters), pixels, overwrite=True)
