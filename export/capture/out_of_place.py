"""Modules whose activations do not overwrite their input, if that makes no difference.

torch's exporter decomposes each in-place operator with all its symbolic sizes, which takes half of the tracing time of a
deep network. `nn.ReLU(inplace=True)` saves memory in training. It is the same function, unless its input is read again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


def out_of_place(module: nn.Module, inputs: Sequence[Tensor]) -> tuple[nn.Module, int]:
    """Return a copy that computes equal outputs without overwriting, or `module`; and the number of outputs."""
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
    # not inference_mode: a module that stores its results could not be traced with them afterwards
    with torch.no_grad():
        return [leaf for leaf in tree_leaves(module(*(x.clone() for x in inputs))) if isinstance(leaf, Tensor)]
