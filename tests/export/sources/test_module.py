from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.export.sources import from_module
from upconv.export.sources.module import example_shape
from upconv.runtime.errors import SourceError


def test_weights_that_are_no_numbers_are_refused() -> None:
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data.fill_(float("nan"))
    with pytest.raises(SourceError, match="not finite numbers"):
        from_module(layer, name="broken")


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv2d(5, 3, 1), (1, 5, 32, 32)),
        (nn.ConvTranspose1d(4, 3, 1), (1, 4, 32)),
        (nn.Conv3d(2, 3, 1), (1, 2, 32, 32, 32)),
        (nn.Sequential(nn.Linear(7, 3)), (1, 7)),
        (nn.Upsample(scale_factor=2), (1, 3, 32, 32)),
    ],
)
def test_an_example_input_is_guessed_from_the_first_layer(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert example_shape(module) == shape


def test_weights_have_a_hash_that_names_and_values_change() -> None:
    def digest(module: nn.Module) -> str | None:
        return from_module(module).original.weights_sha256()

    torch.manual_seed(0)
    layer = nn.Conv2d(3, 3, 1)
    first = digest(layer)
    assert digest(nn.Sequential(layer)) != first
    assert digest(layer) == first
    layer.weight.data.add_(1)
    assert digest(layer) != first
    assert digest(nn.Upsample(scale_factor=2)) is None
