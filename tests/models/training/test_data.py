from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from upconv.models.training.data import Patches, image_paths, load_image, low_high


def test_patches_of_both_resolutions_show_the_same_place(folder: Path) -> None:
    patches = Patches.from_folder(folder, 2, 12, 0.5)
    low, high = patches.batch(0, 3, 4)
    assert low.shape == (4, 3, 12, 12)
    assert high.shape == (4, 3, 24, 24)
    reduced = torch.nn.functional.avg_pool2d(high, 2)
    assert float((reduced - low).abs().mean()) < 0.03
    assert torch.equal(low, patches.batch(0, 3, 4)[0])
    assert not torch.equal(low, patches.batch(0, 4, 4)[0])


def test_soft_large_photographs_are_reduced(tmp_path: Path) -> None:
    Image.new("RGB", (2000, 1000)).save(tmp_path / "large.png")
    assert load_image(tmp_path / "large.png", sharpen=True).size == (1000, 500)
    assert load_image(tmp_path / "large.png", sharpen=False).size == (2000, 1000)


def test_patches_are_also_cut_from_reduced_photographs(tmp_path: Path) -> None:
    Image.new("RGB", (120, 80), "red").save(tmp_path / "a.png")
    patches = Patches.from_folder(tmp_path, 2, 12, 1.0, reductions=[1.0, 0.6])
    assert [high.shape[:2] for _, high in patches.pairs] == [(80, 120), (48, 72)]
    assert {int(index) for index, _, _ in patches.places} == {0, 1}


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no images"):
        image_paths(tmp_path)


def test_odd_sizes_are_cropped_to_the_scale() -> None:
    low, high = low_high(Image.new("RGB", (11, 8)), 3)
    assert low.shape == (2, 3, 3)
    assert high.shape == (6, 9, 3)


def test_generated_pairs_replace_patches_and_are_degraded(folder: Path) -> None:
    flat = np.full((12, 12, 3), 9, np.uint8), np.full((24, 24, 3), 8, np.uint8)
    patches = Patches.from_folder(
        folder, 2, 12, 0.5, degrade=lambda p, _: p + 1, generate=lambda *a: flat if a[2].random() < 0.5 else None
    )
    low, high = patches.batch(0, 0, 32)
    drawn = (high.flatten(1) * 255).round().eq(8).all(dim=1)
    assert 5 < int(drawn.sum()) < 27
    assert (low[drawn] * 255).round().eq(10).all()
