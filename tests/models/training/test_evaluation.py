from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upconv.models.training.evaluation import bicubic, compare, held_out, luma, psnr_y, sharpness, ssim_y


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
