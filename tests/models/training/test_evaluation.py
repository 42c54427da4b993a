from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upconv.models.training.evaluation import bicubic, compare, held_out, luma, psnr_y, score, sharpness, ssim_y

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
        with pytest.raises(ValueError, match="at least 32 per side"):
            held_out(tmp_path, 2)


def test_luma_is_studio_range() -> None:
    np.testing.assert_allclose(luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)), [[16, 235]])


def test_psnr_of_one_step_everywhere() -> None:
    truth = np.full((20, 20, 3), 100, np.uint8)
    step = np.full((20, 20, 3), 101, np.uint8)
    assert psnr_y(truth, truth, 2) == float("inf")
    assert psnr_y(step, truth, 2) == pytest.approx(20 * np.log10(255 / (219 / 255)), abs=1e-9)


def test_the_border_does_not_count() -> None:
    truth = np.full((20, 20, 3), 100, np.uint8)
    spoiled = truth.copy()
    spoiled[:2] = 0
    assert psnr_y(spoiled, truth, 2) == float("inf")


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="different size"):
        psnr_y(np.zeros((4, 4, 3), np.uint8), np.zeros((5, 4, 3), np.uint8), 1)


def test_bicubic_enlarges() -> None:
    assert bicubic(np.zeros((4, 5, 3), np.uint8), 3).shape == (12, 15, 3)


def test_ssim_falls_with_noise(photograph: Callable[[int, int], np.ndarray]) -> None:
    truth = photograph(60, 60).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 12, truth.shape)
    noisy = np.clip(truth + noise, 0, 255).astype(np.uint8)
    assert ssim_y(truth, truth, 2) == pytest.approx(1)
    assert ssim_y(noisy, truth, 2) < 0.95


def test_a_blurred_picture_is_less_sharp(photograph: Callable[[int, int], np.ndarray]) -> None:
    truth = photograph(60, 60).astype(np.uint8)
    blurred = np.asarray(Image.fromarray(truth).resize((30, 30), Image.Resampling.BOX).resize((60, 60)))
    assert sharpness(truth, truth, 2) == 1
    assert sharpness(blurred, truth, 2) < 0.9
    assert sharpness(np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), 2) == 1


def test_a_model_is_compared_with_every_interpolation(folder: Path) -> None:
    qualities = compare(lambda low: bicubic(low, 2), held_out(folder, 2), 2)
    assert set(qualities) == {"nearest", "bilinear", "bicubic", "lanczos", "model"}
    assert qualities["model"] == qualities["bicubic"]
    assert qualities["nearest"].psnr_y < qualities["bicubic"].psnr_y
