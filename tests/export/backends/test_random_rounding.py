from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends.torch_module import TorchBackend

random = np.random.default_rng(0)


class Layers(nn.Module):
    """Layers whose sums float32 rounds."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 64, 3), nn.GroupNorm(8, 64), nn.SiLU(), nn.Conv2d(64, 64, 3), nn.Conv2d(64, 3, 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.body(x)
        return result


class Indexed(nn.Module):
    """A function that looks pixels up at positions that it computes as floats."""

    def forward(self, x: Tensor) -> Tensor:
        steps = torch.arange(8.0) / 2
        ones = torch.ones(8).cumsum(0) - 1
        return x[..., steps.floor().long()] + x[..., ones.long()]


class InPlace(nn.Module):
    """A function that writes into a view of its result."""

    def forward(self, x: Tensor) -> Tensor:
        y = x * 1.0
        y[..., 0].div_(3)
        return y


def errors(module: nn.Module, x: np.ndarray, seeds: int = 4) -> tuple[float, list[float]]:
    """Return the error of float32, and those of runs that round at random."""
    exact = TorchBackend(module, torch.float64).run([x])[0]
    single = TorchBackend(module, torch.float32).run([x])[0]
    runs = [TorchBackend(module, torch.float64, seed).run([x])[0] for seed in range(seeds)]
    return float(np.abs(single - exact).max()), [float(np.abs(run - exact).max()) for run in runs]


@pytest.mark.parametrize(
    "module",
    [Layers(), nn.Upsample(scale_factor=2, mode="bicubic"), nn.AvgPool2d(3), nn.Softmax(1)],
    ids=lambda m: type(m).__name__,
)
def test_random_rounding_errs_as_float32_does(module: nn.Module) -> None:
    single, runs = errors(module, random.random((1, 3, 24, 24), np.float32))
    assert min(runs) > single / 6
    assert max(runs) < single * 3
    assert len(set(runs)) > 1


@pytest.mark.parametrize(
    "module", [nn.PixelShuffle(1), nn.ReLU(), nn.MaxPool2d(2), nn.ZeroPad2d(2), Indexed()], ids=lambda m: type(m).__name__
)
def test_what_float32_holds_stays_exact(module: nn.Module) -> None:
    x = (random.integers(-8, 8, (1, 3, 8, 8)) / 4).astype(np.float32)
    assert errors(module, x) == (0.0, [0.0] * 4)


def test_a_value_written_into_a_view_is_rounded_in_place() -> None:
    x = random.random((1, 3, 4, 4), np.float32)
    exact = TorchBackend(InPlace(), torch.float64).run([x])[0]
    run = TorchBackend(InPlace(), torch.float64, 1).run([x])[0]
    np.testing.assert_array_equal(run[..., 1:], exact[..., 1:])
    assert 0 < np.abs(run[..., 0] - exact[..., 0]).max() < 1e-7


def test_every_result_is_a_value_of_float32_and_the_seed_decides_which() -> None:
    x = random.random((1, 3, 16, 16), np.float32)
    first, again, other = (TorchBackend(Layers(), torch.float64, seed).run([x])[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, first.astype(np.float32))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_values_beyond_float32_stay_finite() -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.softmax(x.masked_fill(x > 0.5, torch.finfo(x.dtype).min), 1)

    _, runs = errors(Masked(), random.random((1, 3, 4, 4), np.float32))
    assert all(np.isfinite(runs))
