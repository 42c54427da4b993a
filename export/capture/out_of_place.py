"""The replacement of in-place activations.

torch's exporter decomposes each in-place operator with all its symbolic sizes. This takes half of the tracing time of a
deep network. `nn.ReLU(inplace=True)` saves memory in training. It computes the same function out of place, unless its
input is read again later.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def out_of_place(module: nn.Module, inputs: Sequence[Tensor]) -> tuple[nn.Module, int]:
    """Return a copy of `module` without in-place activations, and its number of output tensors.

    The copy must give equal outputs for `inputs`. Otherwise `module` itself is returned.
    """
    expected = _outputs(module, inputs)
    if not any(_overwrites(layer) for layer in module.modules()):
        return module, len(expected)
    changed = copy.deepcopy(module)
    for layer in filter(_overwrites, changed.modules()):
        layer.inplace = False  # type: ignore[assignment]
    same = all(torch.equal(a, b) for a, b in zip(expected, _outputs(changed, inputs), strict=True))
    return changed if same else module, len(expected)


def _overwrites(layer: nn.Module) -> bool:
    return getattr(layer, "inplace", False) is True


def _outputs(module: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    # Not inference_mode: its tensors cannot be traced later if the module stores them.
    with torch.no_grad():
        return [leaf for leaf in tree_leaves(module(*(x.clone() for x in inputs))) if isinstance(leaf, Tensor)]
