"""The output shapes of a torch module, computed without values if torch supports that."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import nn

from upconv.export.backends import Array
from upconv.export.backends.tensor_outputs import tensors_of
from upconv.export.backends.torch_module import TorchBackend


class ShapeBackend:
    """A module on torch's meta device, on which tensors have shapes and no values.

    An input that the meta device cannot run is computed on the processor. The search for a size law needs about thirty
    runs, and one run of a deep network takes seconds.
    """

    name = "torch meta"
    version: str = torch.__version__
    level = "-"

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return zeros in the shapes of the outputs; raises the module's own error for a size that it refuses."""
        tensors = [torch.empty(x.shape, dtype=torch.from_numpy(x).dtype, device="meta") for x in inputs]
        try:
            with torch.no_grad():
                outputs = tensors_of(self._meta(*tensors))
        except Exception:
            # The module refuses the size, keeps tensors on another device, or has an operator that needs values.
            return self._real.run(inputs)
        return [np.broadcast_to(np.float32(0), tuple(output.shape)) for output in outputs] or self._real.run(inputs)

    @cached_property
    def _meta(self) -> nn.Module:
        return copy.deepcopy(self._module).to("meta").eval()

    @cached_property
    def _real(self) -> TorchBackend:
        return TorchBackend(self._module, torch.float32)
