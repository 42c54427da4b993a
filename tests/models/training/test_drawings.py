from __future__ import annotations

import numpy as np
import pytest

from upconv.models.training.drawings import Drawings


def random(seed: int) -> np.random.Generator:
    return np.random.default_rng([1, seed])


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_drawings_are_the_same_for_the_same_seed(scale: int) -> None:
    for seed in range(12):
        pairs = [Drawings(share=1).pair(scale, 20, random(seed)) for _ in range(2)]
        assert pairs[0] is not None and pairs[1] is not None
        low, high = pairs[0]
        assert low.shape == (20, 20, 3) and high.shape == (20 * scale, 20 * scale, 3)
        assert low.dtype == high.dtype == np.uint8
        np.testing.assert_array_equal(low, pairs[1][0])
        np.testing.assert_array_equal(high, pairs[1][1])


def test_high_and_low_resolution_show_the_same_picture() -> None:
    for seed in range(30):
        pair = Drawings(share=1).pair(2, 24, random(seed))
        assert pair is not None
        low, high = (p.astype(float) for p in pair)
        blocks = high.reshape(24, 2, 24, 2, 3).mean(axis=(1, 3))
        assert np.abs(blocks - low).mean() < 12, seed


def test_a_dithered_pair_has_two_colours_and_one_mean() -> None:
    for seed in range(30):
        pair = Drawings(share=1, dithered_share=1).pair(4, 24, random(seed))
        assert pair is not None
        low, high = pair
        assert len(np.unique(low.reshape(-1, 3), axis=0)) <= 2
        np.testing.assert_allclose(low.mean(axis=(0, 1)), high.mean(axis=(0, 1)))


def test_the_other_patches_are_photographs() -> None:
    drawn = sum(Drawings(share=0.25).pair(2, 12, random(seed)) is not None for seed in range(200))
    assert 30 < drawn < 70


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_halftone_has_few_colours_and_dots(scale: int) -> None:
    for seed in range(8):
        pair = Drawings(share=1, dithered_share=0, halftone_share=1).pair(scale, 20, random(seed))
        assert pair is not None
        low, high = (p.astype(float) for p in pair)
        assert high.shape == (20 * scale, 20 * scale, 3)
        blocks = high.reshape(20, scale, 20, scale, 3).mean(axis=(1, 3))
        assert np.abs(blocks - low).mean() < 16, seed
        pure = (np.minimum(np.abs(high - high.min(axis=(0, 1))), np.abs(high - high.max(axis=(0, 1)))) < 2).mean()
        assert pure > 0.4, seed


def test_shares_of_drawings_are_kept() -> None:
    def colours(share: float) -> int:
        drawings = Drawings(share=1, dithered_share=share)
        pairs = [drawings.pair(2, 16, random(seed)) for seed in range(40)]
        return sum(len(np.unique(pair[0].reshape(-1, 3), axis=0)) <= 2 for pair in pairs if pair)

    assert colours(0) < 4 and 10 < colours(0.5) < 30 and colours(1) == 40
