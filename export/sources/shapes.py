"""Which sizes a torch module accepts and makes, without computing a single pixel where torch can tell."""

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
    """A module on torch's meta device, where tensors have shapes and no values; what that cannot run is computed.

    A deep network's forward costs seconds, and finding its size law takes some thirty of them.
    """

    name = "torch meta"
    version: str = torch.__version__
    level = "-"

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Zeros in the shapes of the outputs; raises what the module itself raises for a size it refuses."""
        tensors = [torch.empty(x.shape, dtype=torch.from_numpy(x).dtype, device="meta") for x in inputs]
        try:
            with torch.no_grad():
                outputs = [leaf for leaf in tree_leaves(self._meta(*tensors)) if isinstance(leaf, Tensor)]
        except (
            Exception
        ):  # a size that is refused, tensors that live elsewhere (at some sizes only), an operator that needs values
            return self._real.run(inputs)
        return [np.broadcast_to(np.float32(0), tuple(output.shape)) for output in outputs] or self._real.run(inputs)

    @cached_property
    def _meta(self) -> nn.Module:
        return copy.deepcopy(self._module).to("meta").eval()

    @cached_property
    def _real(self) -> TorchBackend:
        return TorchBackend(self._module, torch.float32)
