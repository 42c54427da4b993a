from __future__ import annotations

import numpy as np

from upconv.models.training.degradation import Degradation, jpeg


def test_degradation_is_the_same_for_the_same_seed_and_leaves_some_patches_alone() -> None:
    clean = np.random.default_rng(0).integers(0, 255, (48, 48, 3)).astype(np.uint8)
    spoiled = [Degradation().apply(clean, np.random.default_rng(seed)) for seed in range(40)]
    for seed, patch in enumerate(spoiled):
        assert patch.shape == clean.shape
        np.testing.assert_array_equal(patch, Degradation().apply(clean, np.random.default_rng(seed)))
    untouched = sum(np.array_equal(patch, clean) for patch in spoiled)
    assert 0 < untouched < 20


def test_jpeg_at_high_quality_is_close() -> None:
    smooth = np.mgrid[0:40, 0:40][0][..., None].repeat(3, axis=2).astype(np.uint8)
    assert np.abs(jpeg(smooth, 95).astype(int) - smooth).max() <= 3
