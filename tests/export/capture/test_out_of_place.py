from __future__ import annotations

import torch
from torch import Tensor, nn

from upconv.export.capture.out_of_place import out_of_place

INPUTS = [torch.tensor([-1.0, 2.0])]


class ReadAgain(nn.Module):
    """Depends on its activation overwriting the input."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = nn.ReLU(inplace=True)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.activation(image), image


def test_an_activation_no_longer_overwrites() -> None:
    module = nn.Sequential(nn.ReLU(inplace=True))
    assert out_of_place(module, INPUTS) == 1
    assert [layer.inplace for layer in module.children()] == [False]


def test_a_module_that_reads_the_overwritten_input_is_kept() -> None:
    module = ReadAgain()
    assert out_of_place(module, INPUTS) == 2
    assert module.activation.inplace


def test_a_module_without_in_place_layers_is_kept() -> None:
    assert out_of_place(nn.ReLU(), INPUTS) == 1
