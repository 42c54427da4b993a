from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upconv.models.training.evaluation import held_out, luma, psnr_y, score, sharpness

SIDE_PX = 36
GREY = np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8)


def with_a_ring(distance: int) -> np.ndarray:
    """The grey picture with a square of white lines, so many pixels from the edge."""
    picture = GREY.copy()
    picture[distance : SIDE_PX - distance, distance : SIDE_PX - distance] = 255
    inner = slice(distance + 1, SIDE_PX - distance - 1)
    picture[inner, inner] = 128
    return picture


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_as_many_pixels_as_the_scale_are_left_out_on_every_side(scale: int) -> None:
    low = np.full((SIDE_PX // scale, SIDE_PX // scale, 3), 128, np.uint8)
    outside, inside = (score(lambda _, n=n: with_a_ring(n), [(low, GREY)], scale) for n in (scale - 1, scale))  # type: ignore[misc]
    assert outside.psnr_y == float("inf")
    assert 10 < inside.psnr_y < 30


@pytest.mark.parametrize(("color", "value"), [((255, 0, 0), 81.481), ((0, 255, 0), 144.553), ((0, 0, 255), 40.966)])
def test_luma_is_that_of_bt_601(color: tuple[int, int, int], value: float) -> None:
    assert luma(np.array([[color]], np.uint8))[0, 0] == pytest.approx(value)


def test_psnr_is_of_a_peak_of_255() -> None:
    lighter = GREY + np.uint8(1)
    difference = 219 / 255  # of luma, for one step of grey
    assert psnr_y(lighter, GREY, 2) == pytest.approx(20 * np.log10(255 / difference))


def test_sharpness_is_beside_the_truths() -> None:
    steps = np.zeros((32, 32, 3), np.uint8)
    steps[:, 16:] = 200
    half = steps // 2
    assert sharpness(half, steps, 2) == pytest.approx(0.5)


@pytest.mark.parametrize(("side", "large_enough"), [(31, False), (32, True)])
def test_a_picture_has_at_least_32_pixels_a_side(side: int, large_enough: bool, tmp_path: Path) -> None:
    Image.new("RGB", (side, 40)).save(tmp_path / "a.png")
    if large_enough:
        ((low, high),) = held_out(tmp_path, 2)
        assert (low.shape, high.shape) == ((20, 16, 3), (40, 32, 3))
    else:
        with pytest.raises(ValueError, match="at least 32 a side"):
            held_out(tmp_path, 2)
