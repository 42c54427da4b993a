"""The replacement of in-place activations.

torch's exporter decomposes each in-place operator with all its symbolic sizes. This takes half of the tracing time of a
deep network. `nn.ReLU(inplace=True)` saves memory in training. It computes the same function out of place, unless its
input is read again later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def out_of_place(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Let the activations of `module` make new tensors, and return its number of output tensors.

    The outputs for `inputs` must stay equal. Otherwise the activations write in place again.
    """
    expected = _outputs(module, inputs)
    layers: list[Any] = [layer for layer in module.modules() if getattr(layer, "inplace", False) is True]
    for layer in layers:
        layer.inplace = False
    if layers and not all(torch.equal(a, b) for a, b in zip(expected, _outputs(module, inputs), strict=True)):
        for layer in layers:
            layer.inplace = True
    return len(expected)


def _outputs(module: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    # Not inference_mode: its tensors cannot be traced later if the module stores them.
    with torch.no_grad():
        return [leaf for leaf in tree_leaves(module(*(x.clone() for x in inputs))) if isinstance(leaf, Tensor)]
