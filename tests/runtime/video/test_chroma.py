from __future__ import annotations

import numpy as np
import pytest

from upconv.runtime.video.chroma import REACH, ChromaAxis, with_border

AXES = [ChromaAxis(2), ChromaAxis(2, cosited=True), ChromaAxis(4, cosited=True)]


def up(axis: ChromaAxis, plane: np.ndarray, along: int) -> np.ndarray:
    return axis.enlarged(with_border(plane, along, -REACH, plane.shape[along] + REACH), along)


def down(axis: ChromaAxis, plane: np.ndarray, along: int) -> np.ndarray:
    count = axis.count(plane.shape[along])
    return axis.reduced(with_border(plane, along, -REACH * axis.factor, (count + REACH) * axis.factor), along)


def ramp(positions: np.ndarray, along: int) -> np.ndarray:
    plane = np.broadcast_to((3 * positions + 5).astype(np.float32), (6, len(positions)))
    return plane if along else plane.T


def test_the_first_chroma_sample_lies_on_the_first_luma_sample_or_in_the_middle_of_several() -> None:
    assert [axis.offset for axis in (*AXES, ChromaAxis(4), ChromaAxis())] == [0.5, 0, 0, 1.5, 0]


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("axis", AXES)
def test_a_ramp_stays_a_ramp_at_the_place_of_its_samples(axis: ChromaAxis, along: int) -> None:
    luma = np.arange(48)
    chroma = np.arange(48 // axis.factor) * axis.factor + axis.offset
    inner = 4 * axis.factor
    for made, expected in (
        (up(axis, ramp(chroma, along), along), ramp(luma, along)),
        (down(axis, ramp(luma, along), along), ramp(chroma, along)),
    ):
        margin = inner if made.shape[along] == 48 else 4
        kept = np.s_[margin:-margin] if along == 0 else np.s_[:, margin:-margin]
        np.testing.assert_allclose(made[kept], expected[kept], atol=1e-3)


def cubic(x: float) -> float:
    x = abs(x)
    if x >= 2:
        return 0
    return 1.5 * x**3 - 2.5 * x**2 + 1 if x < 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("axis", [*AXES, ChromaAxis(4)])
@pytest.mark.parametrize("count", [1, 8, 9, 17, 35, 200])
def test_each_result_is_the_weighted_sum_of_its_neighbours(axis: ChromaAxis, along: int, count: int) -> None:
    low = np.random.default_rng(0).random((count, 3)).astype(np.float32)
    high = np.random.default_rng(1).random((count * axis.factor, 3)).astype(np.float32)
    places = (np.arange(len(high)) - axis.offset) / axis.factor
    reach = REACH * axis.factor
    for made, source, at, of, margin in (
        (up(axis, low if along == 0 else low.T, along), low, places, np.arange(-REACH, count + REACH), REACH),
        (
            down(axis, high if along == 0 else high.T, along),
            high,
            np.arange(count),
            (np.arange(-reach, len(high) + reach) - axis.offset) / axis.factor,
            reach,
        ),
    ):
        padded = np.pad(source, ((margin, margin), (0, 0)), mode="edge")
        weights = np.array([[cubic(float(place - sample)) for sample in of] for place in at])
        expected = weights @ padded / weights.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(made if along == 0 else made.T, expected, atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 3, 7])
@pytest.mark.parametrize("axis", AXES)
def test_a_flat_plane_of_any_length_stays_flat(axis: ChromaAxis, length: int) -> None:
    small = down(axis, np.full((3, length), 77, np.float32), 1)
    assert small.shape == (3, axis.count(length))
    np.testing.assert_allclose(small, 77, rtol=1e-6)
    np.testing.assert_allclose(up(axis, small, 1), 77, rtol=1e-6)


def test_what_is_too_fine_for_the_chroma_becomes_its_mean() -> None:
    stripes = np.tile(np.array([0, 100], np.float32), (3, 20))
    np.testing.assert_allclose(down(ChromaAxis(2), stripes, 1)[:, 3:-3], 50, atol=0.01)


def test_the_border_is_repeated_beyond_both_ends() -> None:
    plane = np.array([[1, 2, 3]], np.float32)
    np.testing.assert_array_equal(with_border(plane, 1, -2, 5), [[1, 1, 1, 2, 3, 3, 3]])
    np.testing.assert_array_equal(with_border(plane, 1, 1, 3), [[2, 3]])
