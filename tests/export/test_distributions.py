from __future__ import annotations

import numpy as np
import pytest

from upconv.export.backends import Array
from upconv.export.distributions import DISTRIBUTIONS, continued, likely_inputs, trial_inputs, unlikely_inputs
from upconv.runtime.contract import Pixels


@pytest.mark.parametrize("shape", [(2, 3, 20, 30), (1, 1, 200, 150), (3, 5, 1, 1), (2, 7), (4, 2, 3), ()], ids=str)
@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_distribution_fills_any_shape_within_the_range(name: str, shape: tuple[int, ...]) -> None:
    drawn = trial_inputs([np.zeros(shape, np.float32)], [(shape,)], Pixels(low=-1, high=3))
    array = next(case.arrays[0] for case in drawn if case.distribution == name)
    assert array.shape == shape
    assert array.dtype == np.float32
    assert array.min() >= -1
    assert array.max() <= 3


def test_what_is_special_about_each() -> None:
    shape = (2, 3, 40, 40)
    drawn = {case.distribution: case.arrays[0] for case in trial_inputs([np.zeros(shape, np.float32)], [(shape,)], Pixels())}
    assert set(np.unique(drawn["extremes"])) == {0, 1}
    assert np.ptp(drawn["constant"]) == 0
    assert drawn["impulse"].sum() == 2
    neighbours = np.abs(np.diff(drawn["photograph"], axis=3)).mean() / np.abs(np.diff(drawn["uniform"], axis=3)).mean()
    assert 0 < neighbours < 0.3  # photographs are smooth
    assert not np.array_equal(drawn["photograph"][0], drawn["photograph"][1])


def test_integers_stay_within_the_example_and_the_draw_is_the_same_each_time() -> None:
    example: list[Array] = [np.zeros((1, 3, 8, 8), np.float32), np.array([2, 9], np.int64)]
    first, second = (trial_inputs(example, [((1, 3, 8, 8), (5,))], Pixels()) for _ in range(2))
    assert all(int(case.arrays[1].min()) >= 0 and int(case.arrays[1].max()) <= 9 for case in first)
    assert all(
        np.array_equal(x, y) for a, b in zip(first, second, strict=True) for x, y in zip(a.arrays, b.arrays, strict=True)
    )


def test_noise_is_drawn_in_every_size_and_the_rest_in_the_first_and_the_last() -> None:
    shapes = [((1, 3, side, side),) for side in range(4, 11)]
    names = [str(case) for case in trial_inputs([np.zeros((1, 3, 4, 4), np.float32)], shapes, Pixels())]
    assert names == [
        *(f"uniform 1x3x{side}x{side}" for side in range(4, 11)),
        *(f"{name} 1x3x{side}x{side}" for name in ("photograph", "extremes", "constant", "impulse") for side in (4, 10)),
    ]


SHAPES = [((1, 3, 16, 16),), ((3, 3, 9, 21),)]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_pictures_are_photographs_also_if_the_example_is_constant(value: float) -> None:
    cases = likely_inputs([np.full((1, 3, 16, 16), value, np.float32)], SHAPES, Pixels())
    assert [str(case) for case in cases] == ["likely 1x3x16x16", "likely 3x3x9x21", "gradient 1x3x16x16"]
    assert all(np.ptp(case.arrays[0]) > 0.1 for case in cases)
    assert all(case.arrays[0].min() >= 0 and case.arrays[0].max() <= 1 for case in cases)


def test_photographs_and_noise_reach_the_range_of_the_example() -> None:
    example = np.linspace(-5, 7, 768, dtype=np.float32).reshape(1, 3, 16, 16)
    extremes = next(c for c in unlikely_inputs([example], SHAPES, Pixels()) if c.distribution == "extremes")
    assert set(np.unique(extremes.arrays[0])) == {-5, 7}
    assert min(float(case.arrays[0].min()) for case in likely_inputs([example], SHAPES, Pixels())) < -2


def test_latents_are_the_example_and_the_example_of_a_picture_is_tried_too() -> None:
    latent = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)
    (likely,) = likely_inputs([latent], [(latent.shape,)], Pixels())
    np.testing.assert_array_equal(likely.arrays[0], latent)
    picture = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    np.testing.assert_array_equal(unlikely_inputs([picture], [(picture.shape,)], Pixels())[-1].arrays[0], picture)
    assert [c.distribution for c in unlikely_inputs([0 * picture], [(picture.shape,)], Pixels())] == ["uniform", "extremes"]


def test_a_continued_example_is_mirrored_and_its_items_differ() -> None:
    example = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
    whole = continued(example, (2, 1, 5, 6))
    np.testing.assert_array_equal(whole[0, 0, :, 0], [0, 4, 8, 8, 4])
    assert not np.array_equal(whole[0], whole[1])
    np.testing.assert_array_equal(continued(example, (1, 1, 2, 3)), example[:, :, :2, :3])
    assert continued(np.float32(3) + np.zeros(()), ()) == 3
