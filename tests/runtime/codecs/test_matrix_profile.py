from __future__ import annotations

import io

import pytest
from PIL import ImageCms

from upconv.runtime.codecs.matrix_profile import matrix_profile
from upconv.runtime.codecs.profiles import is_usable, space_of

D50_SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""The primaries of sRGB relative to D50 (ICC, sRGB profile of version 4)."""


@pytest.mark.parametrize("gamma", [None, 1.0, 2.2, 10.0])
def test_primaries_are_relative_to_d50(gamma: float | None) -> None:
    profile = matrix_profile(gamma)
    read = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    for found, expected in zip((read.red_colorant, read.green_colorant, read.blue_colorant), D50_SRGB, strict=True):
        assert found is not None
        assert found[0] == pytest.approx(expected, abs=2e-4)
    assert (space_of(profile), len(profile), read.version) == ("RGB", int.from_bytes(profile[:4], "big"), 4.4)
    assert is_usable(profile, channels=3)


@pytest.mark.parametrize("gamma", [None, 1.0, 2.2])
def test_grey(gamma: float | None) -> None:
    profile = matrix_profile(gamma, grey=True)
    assert (space_of(profile), is_usable(profile, channels=1)) == ("grey", True)
    assert ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space.strip() == "GRAY"


@pytest.mark.parametrize(
    "points",
    [
        (0.3, 0.3, 0, 0, 0, 0, 0, 0),
        (0.3, 0.3, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3),
        (0.981, 0.686, 0.65, 0.688, 0.65, 0.6879, 0.721, 0.525),
    ],
)
def test_points_that_span_no_colours(points: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="chromaticit"):
        matrix_profile(2.2, points)
