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
    """A copy of a torch module in one dtype. In float64 it is the reference for all other backends."""

    level = "-"

    def __init__(self, module: nn.Module, dtype: torch.dtype) -> None:
        self.name = f"torch {str(dtype).removeprefix('torch.')}"
        self.version = torch.__version__
        self._dtype = dtype
        self._module = copy.deepcopy(module).to(dtype).eval()

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return every tensor of the output, flattened, in the dtype of the backend.

        Raises `SourceError` if the output holds no tensor.
        """
        tensors = [torch.from_numpy(array) for array in inputs]
        with torch.inference_mode():
            result = self._module(*(t.to(self._dtype) if t.is_floating_point() else t for t in tensors))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        if not outputs:
            raise SourceError(f"expected tensors from the module, got {type(result).__name__}")
        return [output.numpy() for output in outputs]
