from __future__ import annotations

from typing import Literal

import pytest
import torch

from upconv.models.interpolation import interpolation


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [2, 3])
def test_a_flat_picture_stays_flat_at_the_larger_size(mode: Literal["nearest", "bilinear", "bicubic"], scale: int) -> None:
    result = interpolation(mode, scale)(torch.full((1, 3, 4, 5), 0.25))
    torch.testing.assert_close(result, torch.full((1, 3, 4 * scale, 5 * scale), 0.25))


def test_nearest_repeats_every_pixel() -> None:
    image = torch.rand(1, 3, 2, 3)
    assert torch.equal(interpolation("nearest")(image), image.repeat_interleave(2, 2).repeat_interleave(2, 3))
