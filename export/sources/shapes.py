"""The output shapes of a torch module, computed without values if torch supports that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from upconv.export.backends import Array
from upconv.export.backends.private_copy import private_copy
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
        module = private_copy(self._module, torch.float32, lazy=True).to("meta")
        check_channels(module)
        return module

    @cached_property
    def _real(self) -> TorchBackend:
        return TorchBackend(self._module, torch.float32)


def check_channels(module: nn.Module) -> None:
    """Let the transposed convolutions of `module` refuse other channels than theirs, which torch's meta device accepts."""
    for layer in module.modules():
        if isinstance(layer, _ConvTransposeNd):
            layer.register_forward_pre_hook(_check)


def _check(layer: _ConvTransposeNd, inputs: tuple[Any, ...]) -> None:
    image = inputs[0] if inputs else None
    if isinstance(image, Tensor) and image.shape[-1 - len(layer.kernel_size)] != layer.in_channels:
        raise ValueError(f"expected {layer.in_channels} channels, got the shape {tuple(image.shape)}")
