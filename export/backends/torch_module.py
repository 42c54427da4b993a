"""A torch module as a backend."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from upconv.export.backends.backend import Array
from upconv.runtime.errors import SourceError


class TorchBackend:
    """A torch module in float32, or in the float64 of the reference."""

    level = "-"

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype = dtype
        self._module = copy.deepcopy(module).to(dtype).eval()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return every output tensor of the module, in its own precision, as a flat list."""
        tensors = [torch.from_numpy(array) for array in inputs]
        with torch.inference_mode():
            result = self._module(*(t.to(self._dtype) if t.is_floating_point() else t for t in tensors))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not outputs:
            raise SourceError(f"expected tensors from the module, got {type(result).__name__}")
        return [output.numpy() for output in outputs]
