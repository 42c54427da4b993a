"""Things that compute a model's function."""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import nn

from upconv.runtime.errors import ExportError, first_line

Array = NDArray[Any]

LEVELS = {
    "disabled": ort.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "basic": ort.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    "extended": ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    "all": ort.GraphOptimizationLevel.ORT_ENABLE_ALL,
}
"""Graph optimisation levels; `all` is what is served."""


class Backend(Protocol):
    """One way to compute a model's function."""

    name: str
    version: str
    level: str
    """The runtime's graph optimisation level, or a dash where it has none."""

    def run(self, array: Array) -> Array:
        """The model's first output for one float32 input."""
        ...


class TorchBackend:
    """The torch module itself, in float32 or in the float64 that everything else is measured against."""

    level = "-"

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype = dtype
        self._module = copy.deepcopy(module).to(dtype).eval()

    def run(self, array: Array) -> Array:
        """The module's output, in its own precision."""
        with torch.inference_mode():
            output = self._module(torch.from_numpy(array).to(self._dtype))
        if not isinstance(output, torch.Tensor):
            raise ExportError(f"expected one tensor from the module, got {type(output).__name__}")
        result: Array = output.numpy()
        return result


class OnnxruntimeBackend:
    """onnxruntime on the processor, with one thread, at one graph optimisation level."""

    name = "onnxruntime cpu"
    version: str = ort.__version__

    def __init__(self, model: onnx.ModelProto, level: str = "all") -> None:
        self.level = level
        options = ort.SessionOptions()
        options.graph_optimization_level = LEVELS[level]
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises half a dozen unrelated types
            raise ExportError(f"onnxruntime cannot open the graph: {first_line(error)}") from error

    def run(self, array: Array) -> Array:
        """The graph's first output; raises `ExportError` where onnxruntime cannot run it."""
        try:
            result: Array = self._session.run(None, {self._session.get_inputs()[0].name: array.astype(np.float32)})[0]
        except Exception as error:
            raise ExportError(f"onnxruntime cannot run the graph on {array.shape}: {first_line(error)}") from error
        return result
