from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from upconv.export.sources.traceable import (
    make_traceable,
    rectangular_window_masks,
    shifted_window_mask,
    window_reverse,
    windows_to_images,
)


class Branched(nn.Module):
    """A part that merges its branches in each call, as SPAN does."""

    def __init__(self) -> None:
        super().__init__()
        self.eval_conv = nn.Conv2d(1, 1, 1)
        self.merged = 0

    def update_params(self) -> None:
        self.merged += 1


class Shifted(nn.Module):
    """A part whose name for a mask means something else."""

    window_size, shift_size = 4, 2

    def calculate_mask(self, size: tuple[int, int]) -> Tensor:
        return torch.zeros(size)


def test_branches_are_merged_once() -> None:
    part = Branched()
    make_traceable(nn.Sequential(part))
    for _ in range(3):
        part.update_params()
    assert part.merged == 1


def test_another_function_of_the_same_name_is_kept() -> None:
    part = Shifted()
    make_traceable(part)
    assert part.calculate_mask((3, 5)).shape == (3, 5)


def test_a_network_without_such_parts_is_not_changed() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    before = [dict(vars(part)) for part in network.modules()]
    make_traceable(network)
    assert [set(vars(part)) for part in network.modules()] == [set(each) for each in before]


@pytest.mark.parametrize(("window", "height", "width"), [(2, 4, 6), (4, 4, 8), (1, 2, 3)])
def test_windows_are_joined_to_the_image_that_they_were_cut_from(window: int, height: int, width: int) -> None:
    images = torch.arange(2.0 * height * width * 3).reshape(2, height, width, 3)
    tiles = images.view(2, height // window, window, width // window, window, 3).permute(0, 1, 3, 2, 4, 5)
    joined = window_reverse(tiles.reshape(-1, window, window, 3), window, height, width)
    assert torch.equal(joined, images)


def test_a_mask_has_one_row_per_pixel_of_each_window() -> None:
    mask = shifted_window_mask(4, 2)((8, 12))
    assert mask.shape == (6, 16, 16)
    assert not mask[0].any()
    assert set(mask[-1].flatten().tolist()) == {-100.0, 0.0}
    assert not shifted_window_mask(4, 0)((8, 12)).any()


@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_rectangular_masks_divide_the_picture_in_both_directions(dtype: torch.dtype | None) -> None:
    lying, standing = rectangular_window_masks((4, 8), (2, 4))(16, 24, dtype)
    assert lying.shape == standing.shape == (12, 32, 32)
    assert lying.dtype == (dtype or torch.float32)
    assert not lying[0].any()  # the first window lies in one band
    assert lying[-1].any()
    assert torch.equal(standing, rectangular_window_masks((8, 4), (4, 2))(16, 24, dtype)[0])


def test_rectangular_windows_are_joined_to_the_image() -> None:
    images = torch.arange(2.0 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    tiles = images.view(2, 4, 1, 2, 3, 3).permute(0, 1, 3, 2, 4, 5)
    assert torch.equal(windows_to_images(tiles.reshape(-1, 3, 3), 1, 3, 4, 6), images)


def windows2img(windows: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Join windows as DAT, RGT and CRAFT do: the batch is computed in floating point."""
    batch = int(windows.shape[0] / (height * width / rows / columns))
    tiles = windows.view(batch, height // rows, width // columns, rows, columns, -1)
    return tiles.permute(0, 1, 3, 2, 4, 5).contiguous().view(batch, height, width, -1)


class Windowed(nn.Module):
    """A part whose module joins windows."""


def test_a_batch_in_floating_point_is_derived_from_the_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    home = sys.modules[__name__]
    monkeypatch.setattr(home, "windows2img", windows2img)  # restores it after the test
    make_traceable(Windowed())
    assert getattr(home, "windows2img") is windows_to_images  # noqa: B009 - mypy knows the name before the change
