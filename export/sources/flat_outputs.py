"""A module whose result is only tensors, as torch's exporter requires."""

from __future__ import annotations

import inspect
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from upconv.export.backends.tensor_outputs import tensors_of


class FlatOutputs(nn.Module):
    """A module that returns the tensors in the result of another, in a tuple if there are several."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        names = getattr(module, "input_names", None)
        self.input_names = list(names or inspect.signature(module.forward).parameters)

    def forward(self, *tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return the tensors in the result."""
        outputs = tensors_of(self.module(*tensors))
        return outputs[0] if len(outputs) == 1 else tuple(outputs)


def with_flat_outputs(module: nn.Module, result: Any) -> nn.Module:
    """Return `module`, or a module around it if `result`, what it returns, holds objects or constants."""
    return module if all(isinstance(leaf, Tensor) for leaf in tree_leaves(result)) else FlatOutputs(module)
