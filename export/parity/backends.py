"""Things that compute a model's function."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils._pytree import tree_leaves

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

    @property
    def name(self) -> str:
        """The runtime and what it runs on."""
        ...

    @property
    def version(self) -> str:
        """Of the runtime."""
        ...

    @property
    def level(self) -> str:
        """The runtime's graph optimisation level, or a dash where it has none."""
        ...

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The model's outputs for its inputs, both in the model's order; floating-point inputs come as float32."""
        ...


class TorchBackend:
    """The torch module itself, in float32 or in the float64 that everything else is measured against."""

    level = "-"

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype = dtype
        self._module = copy.deepcopy(module).to(dtype).eval()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Every tensor that the module puts out, in its own precision; what it nests is flattened."""
        tensors = [torch.from_numpy(array) for array in inputs]
        with torch.inference_mode():
            result = self._module(*(t.to(self._dtype) if t.is_floating_point() else t for t in tensors))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not outputs:
            raise ExportError(f"expected tensors from the module, got {type(result).__name__}")
        return [output.numpy() for output in outputs]


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

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """The graph's outputs; raises `ExportError` where onnxruntime cannot run it."""
        feed = {value.name: array for value, array in zip(self._session.get_inputs(), inputs, strict=True)}
        try:
            outputs: list[Array] = self._session.run(None, feed)
        except Exception as error:
            shapes = ", ".join(str(array.shape) for array in inputs)
            raise ExportError(f"onnxruntime cannot run the graph on {shapes}: {first_line(error)}") from error
        return outputs
