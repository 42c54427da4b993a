"""Colour profiles for several test files."""

from __future__ import annotations

import pytest
import pyvips


@pytest.fixture(scope="session")
def p3() -> bytes:
    """Return the profile of Display P3, which has a wider gamut than sRGB."""
    image = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    profile: bytes = image.icc_transform("p3", input_profile="srgb").get("icc-profile-data")
    return profile
