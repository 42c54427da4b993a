"""The comparison of an ONNX graph with the torch module, at the sizes that the graph accepts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from benchmarks.architectures.architecture import Architecture
from benchmarks.architectures.sizes_tried import Shape, shapes_tried
from numpy.typing import NDArray
from torch import Tensor, nn

from upconv.runtime.contract import SizeLaw

NOISE_FACTOR = 30.0
"""Errors up to so many times the rounding error of torch itself, in float32 against float64, are rounding."""
VISIBLE = 1e-3
"""Errors above this share of the output's range are another function, if float64 cannot be run."""


@dataclass(frozen=True)
class SizeResult:
    """The result of one size."""

    shape: Shape
    outcome: str
    """`right`, `wrong`, or the runtime's sentence if it refuses the size."""
    error: float | None = None
    """The largest error, as a share of the output's range."""
    noise: float | None = None
    """The same for torch itself."""


def compared(
    architecture: Architecture, module: nn.Module, path: Path, laws: dict[int, SizeLaw], max_batch: int | None = None
) -> list[SizeResult]:
    """Return the result of each size that torch runs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    dims = [*session.get_inputs()[0].shape]
    if max_batch == 1:
        dims[0] = 1
    results = []
    for shape in shapes_tried(architecture.shapes[0], dims, architecture.step, laws):
        inputs = architecture.inputs(shape, seed=3)
        try:
            with torch.no_grad():
                expected = module(*inputs).numpy()
        except Exception:  # torch refuses the size, and nothing can be compared
            continue
        results.append(_one(session, module, inputs, expected))
    return results


def _one(
    session: onnxruntime.InferenceSession, module: nn.Module, inputs: Sequence[Tensor], expected: NDArray[np.float32]
) -> SizeResult:
    shape = tuple(inputs[0].shape)
    feed = {slot.name: x.numpy() for slot, x in zip(session.get_inputs(), inputs, strict=False)}
    try:
        made = session.run(None, feed)[0]
    except Exception as problem:
        return SizeResult(shape, f"refused by onnxruntime: {str(problem).splitlines()[0][:200]}")
    if made.shape != expected.shape:
        return SizeResult(shape, "wrong", float("inf"))
    spread = float(np.abs(expected).max()) or 1.0
    error = _apart(made, expected) / spread
    noise = _noise(module, inputs, expected)
    limit = VISIBLE if noise is None else max(NOISE_FACTOR * noise / spread, 1e-6)
    return SizeResult(shape, "right" if error <= limit else "wrong", error, None if noise is None else noise / spread)


def _apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    difference = np.abs(a.astype(np.float64) - b)
    return float("inf") if np.isnan(difference).any() else float(difference.max())


def _noise(module: nn.Module, inputs: Sequence[Tensor], expected: NDArray[np.float32]) -> float | None:
    try:
        with torch.no_grad():
            exact = copy.deepcopy(module).double()(*(x.double() for x in inputs)).numpy()
    except Exception:  # modules with tensors that are made in float32 do not run in float64
        return None
    return _apart(expected, exact)
