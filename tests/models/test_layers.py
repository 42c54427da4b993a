from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.models.layers import HEADS, bilinear_kernel
from upconv.models.upscalers import CompactUpscaler


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_every_head_enlarges_by_its_scale(head: str, scale: int, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        result = HEADS[head](6, 3, scale)(torch.zeros(2, 6, *size))
    assert result.shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_deconvolution_starts_without_favouring_a_phase(scale: int) -> None:
    torch.manual_seed(0)
    head = HEADS["deconv"](4, 3, scale)
    assert isinstance(head, nn.ConvTranspose2d)
    assert head.kernel_size[0] % scale == 0
    with torch.inference_mode():
        inner = head(torch.ones(1, 4, 9, 9))[..., 2 * scale : -2 * scale, 2 * scale : -2 * scale]
    assert float((inner.amax((2, 3)) - inner.amin((2, 3))).max()) < 1e-6


def test_the_bilinear_kernel_interpolates() -> None:
    expected = nn.Upsample(scale_factor=2, mode="bilinear")(torch.arange(6.0).view(1, 1, 1, 6))[0, 0, 0]
    layer = nn.ConvTranspose1d(1, 1, 4, stride=2, padding=1, bias=False)
    layer.weight.data = bilinear_kernel(4, 2)[1][None, None] / bilinear_kernel(4, 2)[1].sum() * 2
    torch.testing.assert_close(layer(torch.arange(6.0).view(1, 1, 6))[0, 0, 1:-1], expected[1:-1])


@pytest.mark.parametrize("head", ["upsample", "deconv"])
def test_the_s_models_stay_small(head: str) -> None:
    parameters = sum(p.numel() for p in CompactUpscaler(head, 2).parameters())
    assert 25_000 <= parameters <= 60_000


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ValueError, match="upsample, deconv, subpixel"):
        CompactUpscaler("magic")
