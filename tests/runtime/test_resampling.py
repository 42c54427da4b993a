from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import numpy as np
import pytest
import pyvips
from PIL import Image

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.runtime.resampling import joined, resize, stoppable, to_image, to_samples

Photograph = Callable[[int, int], np.ndarray]


@pytest.mark.parametrize("size", [(94, 122), (70, 91), (47, 61), (48, 62), (200, 61), (188, 244)])
def test_enlarging_is_pillows_cubic_interpolation(size: tuple[int, int], photograph: Photograph) -> None:
    pixels = photograph(61, 47)
    expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    assert np.abs(resize(pixels, *size).astype(int) - expected).max() <= 2


@pytest.mark.parametrize("size", [(30, 40), (47, 30), (5, 4), (24, 31)])
def test_shrinking_is_close_to_pillows_lanczos(size: tuple[int, int], photograph: Photograph) -> None:
    pixels = photograph(61, 47)
    expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    assert np.abs(resize(pixels, *size).astype(int) - expected).mean() < 2


@pytest.mark.parametrize("size", [(20, 90), (90, 20), (1, 200), (333, 1)])
def test_one_side_may_shrink_while_the_other_grows(size: tuple[int, int]) -> None:
    resized = resize(np.full((61, 47, 2), 77, np.uint16), *size)
    assert resized.shape == (size[1], size[0], 2)
    assert resized.dtype == np.uint16
    assert (resized == 77).all()


@pytest.mark.parametrize(("width", "ends"), [(128, False), (129, True)])
def test_a_small_image_is_computed_to_its_end(width: int, ends: bool) -> None:
    cancellation = Cancellation()
    with (
        pytest.raises(Cancelled) if ends else nullcontext(),
        stoppable(to_image(np.zeros((128, width, 3), np.uint8)), cancellation) as (image, _),
    ):
        cancellation.cancel()
        assert len(image.write_to_memory()) == 128 * width * 3


def test_a_computation_ends_with_its_cancellation() -> None:
    cancellation = Cancellation()

    def compute() -> None:
        with stoppable(to_image(np.zeros((900, 900, 3), np.uint8)), cancellation) as (image, given):
            assert given is cancellation
            assert len(image.write_to_memory()) == 900 * 900 * 3
            cancellation.cancel()
            image.write_to_memory()

    with pytest.raises(Cancelled):
        compute()


def test_another_failure_stays_what_it_is() -> None:
    whole = to_image(np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(pyvips.Error, match="extract_area"), stoppable(whole, None) as (image, _):
        image.crop(0, 0, 10, 10)


def test_nothing_is_resampled_after_a_cancellation() -> None:
    cancellation, samples = Cancellation(), np.zeros((9, 9, 3), np.uint8)
    cancellation.cancel()
    with pytest.raises(Cancelled):
        resize(samples, 20, 20, cancellation=cancellation)
    with pytest.raises(Cancelled):
        joined(samples, samples[..., :1], cancellation)
    with pytest.raises(Cancelled):
        to_samples(to_image(samples), cancellation)
