from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.upscaler import Target, Upscaler

Photograph = Callable[[int, int], np.ndarray]


@pytest.fixture(scope="module")
def doubler(nearest_x2: Path) -> Iterator[Upscaler]:
    with Upscaler(nearest_x2, tile_px=16, workers=2) as upscaler:
        yield upscaler


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_arrays_keep_their_kind(doubler: Upscaler, channels: int, depth: type[np.uint8] | type[np.uint16]) -> None:
    samples: Any = np.random.default_rng(0).integers(1, np.iinfo(depth).max, (21, 34, channels)).astype(depth)
    enlarged = doubler.run(Picture(samples), Target()).samples
    assert enlarged.dtype == depth
    assert enlarged.shape == (42, 68, channels)
    np.testing.assert_array_equal(enlarged, samples.repeat(2, axis=0).repeat(2, axis=1))


def test_a_grey_array_without_channels_stays_one(doubler: Upscaler) -> None:
    assert doubler.upscale(np.zeros((5, 6), np.uint8)).shape == (10, 12)
    assert doubler.upscale(np.zeros((5, 6), np.uint16)).dtype == np.uint16


def test_bytes_become_bytes_and_paths_pictures(doubler: Upscaler, photograph: Photograph, tmp_path: Path) -> None:
    data, _ = codecs.encode(Picture(photograph(20, 30)), "webp")
    assert codecs.sniff(doubler.upscale(data)) == "webp"
    (tmp_path / "a.webp").write_bytes(data)
    picture = doubler.upscale(tmp_path / "a.webp")
    assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        (Target(), (20, 14)),
        (Target(scale=1.5), (15, 10)),
        (Target(scale=3), (30, 21)),
        (Target(scale=1), (10, 7)),
        (Target(width=25), (25, 18)),
        (Target(height=28), (40, 28)),
        (Target(width=33, height=44), (33, 44)),
    ],
)
def test_any_size_is_reached_exactly(doubler: Upscaler, target: Target, size: tuple[int, int]) -> None:
    picture = doubler.run(Picture(np.full((7, 10, 3), 77, np.uint8)), target)
    assert (picture.width, picture.height) == size
    assert (picture.samples == 77).all()


@pytest.mark.parametrize(
    "target",
    [Target(scale=s) for s in (0, -1, 0.5, 17, float("nan"), float("inf"))]
    + [Target(width=5), Target(height=1), Target(width=10_000), Target(scale=2, width=20)],
)
def test_sizes_that_make_no_sense_are_refused(doubler: Upscaler, target: Target) -> None:
    with pytest.raises(ParameterError):
        doubler.run(Picture(np.zeros((7, 10, 3), np.uint8)), target)


def test_pixels_per_millimetre_grow_with_the_picture(doubler: Upscaler) -> None:
    picture = Picture(np.zeros((7, 10, 3), np.uint8), metadata=Metadata(pixels_per_mm=(1.0, 1.0)))
    assert doubler.run(picture, Target(scale=2)).metadata.pixels_per_mm == (2.0, 2.0)


def test_a_missing_file_is_named(doubler: Upscaler, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.png"):
        doubler.upscale(tmp_path / "none.png")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 5), np.uint8)]
)
def test_arrays_that_are_no_pictures_are_refused(doubler: Upscaler, array: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="expected pixels"):
        doubler.upscale(array)
