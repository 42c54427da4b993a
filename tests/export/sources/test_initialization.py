from __future__ import annotations

from importlib import import_module

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from upconv.export.sources.initialization import random_weights
from upconv.models import CATALOGUE

TRAINED = [name for name, entry in CATALOGUE.items() if entry.weights is not None]


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ConvTranspose2d(3, 3, 4, 2, 1),
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 3, 3)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3)),
        lambda: nn.TransformerEncoderLayer(32, 4),
        lambda: nn.LSTM(8, 16),
        lambda: nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3)).bfloat16(),
    ],
)
def test_fresh_layers_are_recognised(make: object) -> None:
    assert callable(make)
    torch.manual_seed(0)
    assert [finding.rule for finding in random_weights(make(), "net")] == ["random-weights"]


@pytest.mark.parametrize("name", TRAINED)
def test_trained_models_are_not_random(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.weights is not None
    place, _, factory = entry.factory.partition(":")
    module = getattr(import_module(place), factory)(**entry.arguments)
    module.load_state_dict(load_file(entry.weights))
    assert random_weights(module, name) == []


def test_a_module_without_parameters_has_no_random_ones() -> None:
    assert random_weights(nn.Upsample(scale_factor=2), "net") == []
