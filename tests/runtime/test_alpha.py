from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from upconv.models import bundled
from upconv.runtime.alpha import bleed_color
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.runtime.picture import Picture
from upconv.runtime.upscaler import Upscaler

Depth = type[np.uint8] | type[np.uint16]
RGB = np.array([200, 30, 90])


def disc(depth: Depth, height: int = 61, width: int = 83) -> Picture:
    """Return a disc of one colour with a soft edge, on a transparent black background."""
    white = int(np.iinfo(depth).max)
    y, x = np.mgrid[0:height, 0:width]
    alpha = np.clip((20 - np.hypot(y - 30, x - 40)) * white / 2, 0, white)
    samples = np.dstack([np.where(alpha[..., None] >= 1, RGB * (white // 255), 0), alpha]).astype(depth)
    return Picture(samples)  # type: ignore[arg-type]  # numpy's stubs lose the depth


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_one_colour_spreads_everywhere(depth: Depth) -> None:
    picture = disc(depth)
    np.testing.assert_array_equal(bleed_color(picture), np.broadcast_to(RGB * (picture.white // 255), (61, 83, 3)))


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_spreads_too(depth: Depth) -> None:
    picture = disc(depth)
    grey = bleed_color(picture.with_samples(picture.samples[..., [0, 3]]))
    assert grey.shape == (61, 83, 1)
    assert (grey == 200 * (picture.white // 255)).all()


def test_visible_pixels_stay_as_they_are() -> None:
    samples = np.random.default_rng(0).integers(0, 256, (33, 21, 4)).astype(np.uint8)
    samples[::2, ::3, 3] = 0
    seen = samples[..., 3] > 0
    np.testing.assert_array_equal(bleed_color(Picture(samples))[seen], samples[..., :3][seen])


@pytest.mark.parametrize("alpha", [0, 255])
def test_nothing_is_done_where_nothing_would_change(alpha: int) -> None:
    samples = np.full((3, 2, 4), 7, np.uint8)
    samples[..., 3] = alpha
    np.testing.assert_array_equal(bleed_color(Picture(samples)), samples[..., :3])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 200)])
def test_any_shape(shape: tuple[int, int]) -> None:
    samples = np.zeros((*shape, 4), np.uint8)
    samples[0, 0] = (1, 2, 3, 1)
    np.testing.assert_array_equal(bleed_color(Picture(samples)), np.broadcast_to([1, 2, 3], (*shape, 3)))


def test_an_enlarged_cut_out_has_no_fringe_and_a_sharp_edge() -> None:
    small, large = disc(np.uint8), disc(np.uint8)
    with Upscaler(bundled("upsample-s-x2"), workers=1) as upscaler:
        large = upscaler.run(small)
    seen = large.samples[..., 3] > 8
    assert np.abs(large.samples[..., :3][seen].astype(int) - RGB).max() <= 3
    y, x = (np.mgrid[0:122, 0:166] + 0.5) / 2 - 0.5
    expected = np.clip((20 - np.hypot(y - 30, x - 40)) / 2, 0, 1) * 255
    assert np.abs(large.samples[..., 3] - expected).mean() < 1


def test_an_even_opacity_costs_no_pass(nearest_x2: Path) -> None:
    passes: list[int] = []
    with Upscaler(nearest_x2, workers=1) as upscaler:
        half = Picture(np.full((5, 6, 4), 128, np.uint8))
        assert (upscaler.run(half, on_tile=lambda *_: passes.append(1)).samples == 128).all()
    assert len(passes) == 1


def test_nothing_is_filled_after_a_cancellation() -> None:
    cancellation, samples = Cancellation(), np.zeros((9, 9, 4), np.uint8)
    samples[0, 0, 3] = 255
    cancellation.cancel()
    with pytest.raises(Cancelled):
        bleed_color(Picture(samples), cancellation)
