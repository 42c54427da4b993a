from __future__ import annotations

import numpy as np
import pytest

from upconv.runtime.video.color_matrix import HD_LINES, ColorMatrix, Levels, MatrixName, rounded, usual_matrix

MATRICES: tuple[MatrixName, ...] = ("bt601", "bt709", "bt2020")


def one(*values: float) -> list[np.ndarray]:
    return [np.full((1, 1), value, np.float32) for value in values]


def test_players_take_720_lines_for_bt709_and_719_for_bt601() -> None:
    assert (usual_matrix(HD_LINES - 1), usual_matrix(HD_LINES)) == ("bt601", "bt709")
    assert HD_LINES == 720


@pytest.mark.parametrize(
    ("rgb", "ycc"),
    [((0, 0, 0), (16, 128, 128)), ((1, 1, 1), (235, 128, 128)), ((1, 0, 0), (81, 90, 240)), ((0, 0, 1), (41, 240, 110))],
)
def test_colours_of_bt601_are_those_of_the_standard(rgb: tuple[float, ...], ycc: tuple[int, ...]) -> None:
    matrix = ColorMatrix("bt601", Levels(8, full_range=False))
    luma, *differences = matrix.from_rgb(*one(*rgb))
    made = (luma, *matrix.from_differences(*differences))
    assert tuple(round(float(plane[0, 0])) for plane in made) == ycc


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("bits", [8, 10, 16])
@pytest.mark.parametrize("name", MATRICES)
def test_there_and_back_is_the_same(name: MatrixName, bits: int, full_range: bool) -> None:
    matrix = ColorMatrix(name, Levels(bits, full_range))
    planes = np.random.default_rng(0).random((3, 4, 5), np.float32)
    luma, *differences = matrix.from_rgb(*planes)
    back = matrix.to_rgb(luma, *matrix.to_differences(*matrix.from_differences(*differences)))
    np.testing.assert_allclose(back, planes, atol=2e-5)
    grey = matrix.to_grey(matrix.from_grey(planes[0]))
    np.testing.assert_allclose(grey, planes[0], atol=2e-5)


@pytest.mark.parametrize(
    ("bits", "full_range", "numbers"),
    [(8, False, (16, 128, 219, 224, 255)), (10, False, (64, 512, 876, 896, 1023)), (8, True, (0, 128, 255, 255, 255))],
)
def test_levels(bits: int, full_range: bool, numbers: tuple[int, ...]) -> None:
    levels = Levels(bits, full_range)
    found = (levels.black, levels.middle, levels.luma_span, levels.chroma_span, levels.largest)
    assert found == numbers
    assert levels.stored is (np.uint8 if bits == 8 else np.uint16)


def test_samples_are_rounded_and_clipped() -> None:
    np.testing.assert_array_equal(rounded(np.array([[-3, 2.6, 1000]], np.float32), 255, np.uint8), [[0, 3, 255]])
