from __future__ import annotations

import pytest
import torch
from torch import nn

from upconv.models.upscalers import CompactUpscaler


def test_blocks_of_layers_have_a_skip_connection_each() -> None:
    model = CompactUpscaler(channels=4, depth=4, block=2)
    for layer in model.body:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    image = torch.rand(1, 3, 5, 5)
    torch.testing.assert_close(model.detail(image), model.head(model.lift(image).relu()))


@pytest.mark.parametrize("head", ["upsample", "deconv"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_s_models_stay_small(head: str, scale: int) -> None:
    parameters = sum(p.numel() for p in CompactUpscaler(head, scale).parameters())
    assert 25_000 <= parameters <= 60_000


def test_an_unknown_head_is_refused() -> None:
    with pytest.raises(ValueError, match="upsample, deconv, subpixel"):
        CompactUpscaler("magic")


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 4)])
def test_without_detail_the_result_is_the_bilinear_base(size: tuple[int, int]) -> None:
    model = CompactUpscaler(channels=4, depth=2)
    for parameter in model.head.parameters():
        nn.init.zeros_(parameter)
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(model(image), nn.Upsample(scale_factor=2, mode="bilinear")(image))


def test_the_output_is_not_clamped() -> None:
    model = CompactUpscaler(channels=4, depth=2)
    with torch.inference_mode():
        assert float(model(torch.full((1, 3, 4, 4), 3.0)).max()) > 1
