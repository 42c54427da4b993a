from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.models.layers import HEADS, Bilinear, bilinear_kernel


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_every_head_enlarges_by_its_scale(head: str, scale: int, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        result = HEADS[head](6, 3, scale)(torch.zeros(2, 6, *size))
    assert result.shape == (2, 3, size[0] * scale, size[1] * scale)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_every_output_pixel_depends_on_more_than_one_input_pixel(head: str, scale: int) -> None:
    layer = HEADS[head](1, 1, scale)
    for parameter in layer.parameters():
        nn.init.ones_(parameter)
    for place in range(2 * scale, 3 * scale):
        features = torch.ones(1, 1, 5, 5, requires_grad=True)
        (gradient,) = torch.autograd.grad(layer(features)[0, 0, place, place], features)
        assert (gradient[0, 0] != 0).any(dim=0).sum() > 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_all_phases_of_the_deconvolution_are_equal_before_training(scale: int) -> None:
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


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 5)])
def test_the_bilinear_base_is_interpolation(scale: int, size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    expected = nn.Upsample(scale_factor=scale, mode="bilinear", align_corners=False)(image)
    torch.testing.assert_close(Bilinear(scale)(image), expected, rtol=0, atol=2e-6)
    assert not Bilinear(scale).state_dict()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_bilinear_base_does_not_depend_on_the_position_of_a_tile(scale: int) -> None:
    image = torch.rand(1, 3, 2, 1500)
    whole = Bilinear(scale)(image)
    tile = Bilinear(scale)(image[..., 1200:1300])
    torch.testing.assert_close(tile[..., scale:-scale], whole[..., 1201 * scale : 1299 * scale], rtol=0, atol=2e-7)
