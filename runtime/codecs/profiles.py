"""ICC profiles: whether one fits the pixels, and the way to sRGB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyvips

from upconv.runtime.picture import Picture
from upconv.runtime.resampling import to_image, to_samples

FIELD = "icc-profile-data"

_IN_EXIF = {"exif-ifd2-ColorSpace": "1", "exif-ifd4-InteroperabilityIndex": "R98"}
"""How EXIF says sRGB."""
_SPACES = {b"RGB ": "RGB", b"GRAY": "grey", b"CMYK": "CMYK", b"Lab ": "Lab"}


def space_of(profile: bytes) -> str | None:
    """The colour space that a profile's header names (ICC.1:2022, 7.2), or none where it is no whole profile."""
    whole = len(profile) >= 132 and int.from_bytes(profile[:4], "big") <= len(profile)
    return _SPACES.get(profile[16:20], "unknown") if whole and profile[36:40] == b"acsp" else None


def fitting(image: Any) -> tuple[bytes | None, tuple[str, ...]]:
    """The profile that comes with grey or RGB pixels, and a phrase where it had to be left out."""
    if not image.get_typeof(FIELD):
        return None, ()
    profile: bytes = image.get(FIELD)
    space, expected = space_of(profile), "RGB" if image.bands > 2 else "grey"
    if space is None:
        return None, ("damaged colour profile dropped",)
    if space != expected:
        return None, (f"{space} colour profile dropped, which {expected} pixels cannot be in",)
    return profile, ()


def to_srgb(picture: Picture) -> Picture:
    """The picture in sRGB and without a profile; grey stays grey.

    A picture without a profile is in sRGB already, as far as anyone can tell.
    """
    profile = picture.metadata.icc
    if profile is None:
        return picture
    image = with_profile(to_image(picture.samples), profile)
    metadata = replace(picture.metadata, icc=None, fields=tuple(map(_saying_srgb, picture.metadata.fields)))
    try:
        samples = to_samples(transformed(image, grey=picture.samples.shape[2] < 3))
    except pyvips.Error:
        return replace(picture, metadata=metadata).noting("colour profile dropped, as it cannot be converted")
    return replace(picture, samples=samples, metadata=metadata)


def _saying_srgb(entry: tuple[str, int, Any]) -> tuple[str, int, Any]:
    """EXIF may say "uncalibrated" or, by R03, Adobe RGB; without a profile some readers go by that (EXIF 2.32, DCF 2.0)."""
    field, kind, value = entry
    return field, kind, _IN_EXIF.get(field, value)


def with_profile(image: Any, profile: bytes) -> Any:
    """The image with a profile attached."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, FIELD, profile)
    return image


def transformed(image: Any, fallback: str | None = None, *, grey: bool = False) -> Any:
    """An image in sRGB, from its own profile or else from `fallback`, as deep as it was."""
    deep = image.format != "uchar"
    given = {} if fallback is None else {"input_profile": fallback}
    converted = image.icc_transform(
        "srgb", embedded=True, intent="relative", black_point_compensation=True, depth=16 if deep else 8, **given
    )
    if grey:  # R, G and B are alike
        rest = [converted[band] for band in range(3, converted.bands)]
        converted = converted[0].bandjoin(rest) if rest else converted[0]
        converted = converted.copy(interpretation="grey16" if deep else "b-w")
    return converted
