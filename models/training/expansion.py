"""Wider weights in training: each 3x3 convolution gets branches that fold into one kernel, without cost per pixel.

The branches are summed as kernels, before the convolution, because a sum of linear convolutions is one convolution (Ding et
al., "RepVGG", CVPR 2021; Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class ExpandedKernel(nn.Module):
    """The kernel of a convolution as a sum: itself, and a product of a wide 3x3 kernel with a 1x1 kernel."""

    def __init__(self, outputs: int, inputs: int, ratio: int) -> None:
        super().__init__()
        wide = outputs * ratio
        self.wide = nn.Parameter(torch.randn(wide, inputs, 3, 3) / (9 * inputs) ** 0.5)
        self.narrow = nn.Parameter(torch.zeros(outputs, wide))  # zero, so that training starts from the given weights

    def forward(self, kernel: Tensor) -> Tensor:
        """Return the kernel that has the effect of all branches: (outputs, inputs, 3, 3)."""
        with torch.autocast(kernel.device.type, enabled=False):
            return kernel + (self.narrow @ self.wide.flatten(1)).view_as(kernel)


def expand(module: nn.Module, ratio: int) -> nn.Module:
    """Give every 3x3 convolution of `module` branches that are `ratio` times as wide as its output, and return it."""
    for layer in list(module.modules()):
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            parametrize.register_parametrization(
                layer, "weight", ExpandedKernel(layer.out_channels, layer.in_channels // layer.groups, ratio)
            )
    return module


def folded(module: nn.Module, names: Iterable[str]) -> list[Tensor]:
    """Return the parameters of `module` by name, each with its branches folded in, without gradients."""
    with torch.no_grad():
        return [_attribute(module, name) for name in names]


def _attribute(module: nn.Module, name: str) -> Tensor:
    path, _, last = name.rpartition(".")
    value: Tensor = getattr(module.get_submodule(path), last)
    return value.detach()
