from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.export.sources import from_module
from upconv.runtime.errors import SourceError


def test_weights_that_are_no_numbers_are_refused() -> None:
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data.fill_(float("nan"))
    with pytest.raises(SourceError, match="not finite numbers"):
        from_module(layer, name="broken")


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
