from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.sources import example_search
from upconv.export.sources.example_search import found_example
from upconv.runtime.errors import SourceError


class Registered(nn.Module):
    """A module whose first registered convolution is not the first that runs."""

    def __init__(self, first: nn.Module) -> None:
        super().__init__()
        self.last = nn.Conv2d(16, 3, 3, padding=1)
        self.first = first

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.last(self.first(image))
        return result


class Function(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[[Tensor], Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, image: Tensor) -> Tensor:
        image = self.function(image)
        for layer in self.layers:
            image = layer(image)
        return image


class Table(nn.Module):
    """A module whose first layer computes a table, and never sees the input."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Linear(2, 5)
        self.conv = nn.Conv2d(5, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        bias = self.table(torch.ones(2, device=image.device))
        result: Tensor = self.conv(image + bias[:, None, None])
        return result


class WithoutLayers(nn.Module):
    """A module that convolves without a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 11, 3, 3))

    def forward(self, image: Tensor) -> Tensor:
        return F.conv2d(image, self.weight)


class OfSide(nn.Module):
    """A module that accepts some sides only."""

    def __init__(self, accepts: Callable[[int], bool]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 1)
        self.accepts = accepts

    def forward(self, image: Tensor) -> Tensor:
        image = self.conv(image)
        if not self.accepts(image.shape[-1]):
            raise ValueError(f"sides of {image.shape[-1]} are wrong\nmore about it")
        return image


def joined(image: Tensor) -> Tensor:
    return torch.cat([image, image[:, :1]], 1)


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv2d(5, 3, 1), (1, 5, 32, 32)),
        (nn.ConvTranspose1d(4, 3, 1), (1, 4, 32)),
        (nn.Conv3d(2, 3, 1), (1, 2, 32, 32, 32)),
        (nn.Sequential(nn.Linear(7, 3)), (1, 7)),
        (nn.Upsample(scale_factor=2), (1, 3, 32, 32)),
        (Registered(nn.Conv2d(7, 16, 1)), (1, 7, 32, 32)),
        (Registered(nn.Sequential(nn.Linear(32, 32), nn.Conv2d(1, 16, 1))), (1, 1, 32, 32)),
        (Registered(nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 16, 1))), (1, 3, 32, 32)),
        (Function(joined, nn.Conv2d(3, 3, 1)), (1, 2, 32, 32)),
        (Function(lambda x: F.conv2d(x, torch.ones(2, 3, 1, 1, device=x.device)), nn.Conv2d(2, 9, 1)), (1, 3, 32, 32)),
        (Function(lambda x: F.conv2d(x, torch.ones(2, 1, 1, 1, device=x.device)), nn.Conv2d(2, 9, 1)), (1, 1, 32, 32)),
        (Registered(nn.ConvTranspose2d(7, 16, 1)), (1, 7, 32, 32)),
        (WithoutLayers(), (1, 11, 32, 32)),
        (nn.Sequential(nn.Linear(9, 8), nn.Conv1d(16, 4, 1)), (1, 16, 9)),
        (nn.Sequential(nn.Linear(9, 7)), (1, 9)),
        (nn.Sequential(nn.Linear(64, 96), nn.Unflatten(1, (6, 4, 4)), nn.ConvTranspose2d(6, 3, 2)), (1, 64)),
        (nn.Sequential(nn.Linear(5, 8), Function(lambda x: x.permute(0, 3, 1, 2)), nn.Conv2d(8, 3, 1)), (1, 32, 32, 5)),
        (nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2 * 28 * 28, 10)), (1, 1, 28, 28)),
        (Table(), (1, 5, 32, 32)),
        (OfSide(lambda side: side >= 33), (1, 4, 64, 64)),
        (OfSide(lambda side: side % 24 == 0), (1, 4, 96, 96)),
        (OfSide(lambda side: side == 256), (1, 4, 256, 256)),
        (OfSide(lambda side: side % 7 == 0), (1, 4, 224, 224)),
    ],
)
def test_a_shape_that_forward_accepts_is_found(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert found_example(module, "m").shape == shape
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_a_module_that_refuses_all_says_what_it_raised() -> None:
    with pytest.raises(SourceError) as caught:
        found_example(OfSide(lambda side: side == 37), "m")
    assert "m refuses each of" in str(caught.value)
    assert "such as (1, 4, 32, 32): ValueError: sides of 32 are wrong; give a shape" in str(caught.value)
    assert "more about it" not in str(caught.value)


def test_the_search_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_search, "MOST_S", 0.0)
    with pytest.raises(SourceError, match="refuses each of 1 shapes"):
        found_example(OfSide(lambda side: side == 64), "m")


@pytest.mark.parametrize(("most", "found"), [(1, False), (2, True)])
def test_the_search_ends_after_a_number_of_shapes(most: int, found: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example_search, "MOST", most)
    module = Registered(nn.Conv2d(7, 16, 1))
    if found:
        assert found_example(module, "m").shape == (1, 7, 32, 32)
    else:
        with pytest.raises(SourceError, match="refuses each of 1 shapes"):
            found_example(module, "m")
