from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from upconv.export.sources.shapes import ShapeBackend


class Narrow(nn.Module):
    """An upsampler that refuses wide pictures."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 8:
            raise ValueError("too wide")
        return nn.functional.interpolate(x, scale_factor=2)


class ByValue(nn.Module):
    """A function whose output shape depends on the values."""

    def forward(self, x: Tensor) -> Tensor:
        return x[: int(x.sum())]


def test_shapes_are_computed_without_values() -> None:
    (output,) = ShapeBackend(nn.ConvTranspose2d(3, 5, 2, stride=2)).run([np.ones((2, 3, 4, 6), np.float32)])
    assert output.shape == (2, 5, 8, 12)
    assert not output.any()


def test_a_refused_size_raises_the_error_of_the_module() -> None:
    with pytest.raises(ValueError, match="too wide"):
        ShapeBackend(Narrow()).run([np.zeros((1, 3, 4, 9), np.float32)])


def test_a_module_that_needs_values_is_computed() -> None:
    (output,) = ShapeBackend(ByValue()).run([np.array([1, 1, 0], np.float32)])
    np.testing.assert_array_equal(output, [1, 1])


def test_the_module_itself_stays_on_its_device() -> None:
    layer = nn.Conv2d(3, 3, 1)
    ShapeBackend(layer).run([np.zeros((1, 3, 4, 4), np.float32)])
    assert layer.weight.device == torch.device("cpu")


def test_a_transposed_convolution_refuses_other_channels() -> None:
    backend = ShapeBackend(nn.Sequential(nn.ConvTranspose2d(3, 1, 2)))
    with pytest.raises(RuntimeError, match="to have 3 channels"):
        backend.run([np.zeros((1, 4, 8, 8), np.float32)])
    assert backend.run([np.zeros((1, 3, 8, 8), np.float32)])[0].shape == (1, 1, 9, 9)
