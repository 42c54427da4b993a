from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from upconv.models.training.checkerboard import Planes, measure


def run(module: nn.Module) -> Callable[[Planes], Planes]:
    def enlarge(planes: Planes) -> Planes:
        with torch.inference_mode():
            result: Planes = module(torch.from_numpy(planes)[None])[0].numpy()
        return result

    return enlarge


def deconvolution(kernel: int, padding: int) -> nn.ConvTranspose2d:
    layer = nn.ConvTranspose2d(3, 3, kernel, stride=2, padding=padding, output_padding=kernel % 2, bias=False, groups=3)
    nn.init.constant_(layer.weight, 4 / kernel**2)
    return layer


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_interpolation_has_no_checkerboard_on_flat_pictures(mode: str, scale: int) -> None:
    measured = measure(run(nn.Upsample(scale_factor=scale, mode=mode)), scale)
    assert measured.constant_steps < 0.01
    assert measured.smooth_db < -15


def test_nearest_has_more_energy_at_the_stride_than_bilinear() -> None:
    nearest, bilinear = (measure(run(nn.Upsample(scale_factor=2, mode=mode)), 2).smooth_db for mode in ("nearest", "bilinear"))
    assert nearest > bilinear + 30


def test_uneven_overlap_makes_a_checkerboard_and_even_overlap_does_not() -> None:
    uneven, even = (measure(run(deconvolution(k, p)), 2) for k, p in ((3, 1), (4, 1)))
    assert uneven.constant_steps > 50
    assert even.constant_steps < 0.01
    assert uneven.smooth_db > even.smooth_db + 10
