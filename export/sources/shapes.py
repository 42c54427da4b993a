"""The sizes that a torch module accepts and returns, without computing a pixel if torch can infer them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from upconv.export.backends import Array
from upconv.export.backends.torch_module import TorchBackend


class ShapeBackend:
    """A module on torch's meta device, where tensors have shapes but no values. What the meta device cannot run is computed.

    A forward pass of a deep network takes seconds, and finding its size law takes about thirty.
    """

    name = "torch meta"
    version: str = torch.__version__
    level = "-"

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return zeros in the shapes of the outputs; raises what the module itself raises for a size that it refuses."""
        tensors = [torch.empty(x.shape, dtype=torch.from_numpy(x).dtype, device="meta") for x in inputs]
        try:
            with torch.no_grad():
                outputs = [leaf for leaf in tree_leaves(self._meta(*tensors)) if isinstance(leaf, Tensor)]
        except Exception:  # a refused size, tensors on another device (at some sizes only), or an operator that needs values
            return self._real.run(inputs)
        return [np.broadcast_to(np.float32(0), tuple(output.shape)) for output in outputs] or self._real.run(inputs)

    @cached_property
    def _meta(self) -> nn.Module:
        return copy.deepcopy(self._module).to("meta").eval()

    @cached_property
    def _real(self) -> TorchBackend:
        return TorchBackend(self._module, torch.float32)
