from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import MAX_SCALE, UpscaleOptions


def test_the_defaults_keep_everything() -> None:
    options = UpscaleOptions()
    assert (options.scale, options.width, options.height, options.format) == (None, None, None, None)
    assert (options.quality, options.lossless, options.metadata, options.profile) == (90, False, "keep", "keep")
    assert (options.frames, options.max_pixels, options.max_output_pixels) == (False, 100_000_000, None)


def test_options_are_values() -> None:
    assert UpscaleOptions(scale=2) == UpscaleOptions(2.0)
    assert len({UpscaleOptions(scale=2), UpscaleOptions(2.0)}) == 1
    with pytest.raises(FrozenInstanceError):
        UpscaleOptions().scale = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (UpscaleOptions(), (30, 21)),
        (UpscaleOptions(scale=1), (10, 7)),
        (UpscaleOptions(scale=1.5), (15, 10)),
        (UpscaleOptions(scale=MAX_SCALE), (160, 112)),
        (UpscaleOptions(width=25), (25, 18)),
        (UpscaleOptions(height=28), (40, 28)),
        (UpscaleOptions(width=33, height=44), (33, 44)),
        (UpscaleOptions(width=10, height=7), (10, 7)),
        (UpscaleOptions(width=160, height=112), (160, 112)),
        (UpscaleOptions(width=40, height=40, fitting="fit"), (40, 28)),
        (UpscaleOptions(width=40, height=40, fitting="fill"), (57, 40)),
        (UpscaleOptions(width=100, height=21, fitting="fit"), (30, 21)),
        (UpscaleOptions(width=100, height=21, fitting="fill"), (100, 70)),
        (UpscaleOptions(width=20, height=14, fitting="fit"), (20, 14)),
        (UpscaleOptions(width=20, height=14, fitting="fill"), (20, 14)),
        (UpscaleOptions(width=23, height=17, fitting="fit"), (23, 16)),
    ],
)
def test_the_size_of_the_result(options: UpscaleOptions, expected: tuple[int, int]) -> None:
    assert options.output_size(10, 7, native_scale=3) == expected


@pytest.mark.parametrize("fitting", ["fit", "fill"])
@pytest.mark.parametrize("side", [{"width": 40}, {"height": 40}, {}])
def test_fitting_needs_both_sides(fitting: Any, side: dict[str, int]) -> None:
    with pytest.raises(ParameterError, match=f"to {fitting} a picture, give both a width and a height"):
        UpscaleOptions(fitting=fitting, **side)  # type: ignore[arg-type]  # a table's options


def test_a_side_never_vanishes() -> None:
    assert UpscaleOptions(width=1600).output_size(100, 1, native_scale=2) == (1600, 16)
    assert UpscaleOptions(width=1600, height=1600, fitting="fit").output_size(1000, 1, native_scale=2) == (1600, 2)
    assert UpscaleOptions(scale=1.2).output_size(1000, 1, native_scale=2) == (1200, 1)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"width": 9}, "9x6"),
        ({"height": 6}, "9x6"),
        ({"width": 161}, "161x113"),
        ({"width": 10, "height": 113}, "10x113"),
    ],
)
def test_a_smaller_result_and_one_over_the_largest_scale_are_refused(options: dict[str, int], size: str) -> None:
    with pytest.raises(ParameterError, match=f"10x7 cannot become {size}; expected 1 to 16 times as large per side"):
        UpscaleOptions(**options).output_size(10, 7, native_scale=2)  # type: ignore[arg-type]  # a table's options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        *(({"scale": scale}, "scale must be a number from 1 to 16, not") for scale in (0, -1, 0.99, 16.01)),
        *(({"scale": float(scale)}, "scale must be a number from 1 to 16, not") for scale in ("nan", "inf", "-inf")),
        ({"scale": 2, "width": 20}, "either a scale or a width and height"),
        ({"scale": 2, "height": 20}, "either a scale or a width and height"),
        ({"width": 0}, "width must be at least 1 pixel, not 0"),
        ({"height": -4}, "height must be at least 1 pixel, not -4"),
        ({"max_pixels": 0}, "max_pixels must be at least 1 pixel"),
        ({"max_output_pixels": 0}, "max_output_pixels must be at least 1 pixel"),
        ({"quality": 0}, "quality must be between 1 and 100, not 0"),
        ({"quality": 101}, "quality must be between 1 and 100, not 101"),
        ({"format": "bmp"}, "format must be one of jpeg, png, webp, avif, tiff, gif, not 'bmp'"),
        ({"metadata": "drop"}, "metadata must be one of keep, strip, not 'drop'"),
        ({"profile": "p3"}, "profile must be one of keep, srgb, not 'p3'"),
    ],
)
def test_values_that_are_not_allowed(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ParameterError, match=sentence):
        UpscaleOptions(**options)


@pytest.mark.parametrize("options", [{"scale": 1}, {"scale": 16}, {"quality": 1}, {"quality": 100}, {"width": 1}])
def test_values_at_the_bounds(options: dict[str, Any]) -> None:
    UpscaleOptions(**options)


@pytest.mark.parametrize("options", [UpscaleOptions(), UpscaleOptions(scale=1), UpscaleOptions(width=10)])
def test_a_model_of_scale_1_keeps_the_size(options: UpscaleOptions) -> None:
    assert options.output_size(10, 7, native_scale=1) == (10, 7)


@pytest.mark.parametrize("options", [UpscaleOptions(scale=2), UpscaleOptions(width=11), UpscaleOptions(height=8)])
def test_a_model_of_scale_1_makes_no_other_size(options: UpscaleOptions) -> None:
    with pytest.raises(ParameterError, match="with a model of scale 1, which keeps the size of a picture"):
        options.output_size(10, 7, native_scale=1)
