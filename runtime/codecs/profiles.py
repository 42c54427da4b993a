"""ICC profiles: the check that a profile is valid for the pixels, and the conversion to sRGB."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import cicp
from upconv.runtime.codecs.exif import ExifBlock
from upconv.runtime.conversions import Conversion
from upconv.runtime.errors import machine_error
from upconv.runtime.libvips import pyvips
from upconv.runtime.picture import Picture
from upconv.runtime.resampling import to_image, to_samples

FIELD = "icc-profile-data"
"""libvips' field of the profile."""

LONGEST = {"gif": 0, "jpeg": 255 * 65_519}
"""Most bytes of a profile in a format that limits it. JPEG counts its parts in one byte (ICC.1:2022, B.4)."""

_CURVES = {b"kTRC": (b"curv", b"para"), b"A2B0": (b"mft1", b"mft2", b"mAB ")}
"""Types of the tags of which a profile of grey or CMYK needs one."""
_RGB = 3
_MOST_TAGS = 200
_UNUSABLE = Conversion("unusable profile")
_SPACES = {b"RGB ": "RGB", b"GRAY": "grey", b"CMYK": "CMYK", b"Lab ": "Lab"}


def space_of(profile: bytes) -> str | None:
    """Return the colour space in a profile's header, or `unknown` (ICC.1:2022, 7.2).

    Returns `None` if `profile` is not a complete profile.
    """
    complete = len(profile) >= 132 and int.from_bytes(profile[:4], "big") <= len(profile)
    return _SPACES.get(profile[16:20], "unknown") if complete and profile[36:40] == b"acsp" else None


def fitting(image: Any) -> tuple[bytes | None, tuple[Conversion, ...]]:
    """Return the profile of a grey or RGB libvips image, and the conversions.

    A profile that is damaged or made for other channels is dropped, which is a conversion.
    """
    if not image.get_typeof(FIELD):
        return None, ()
    profile: bytes = image.get(FIELD)
    space, expected = space_of(profile), "RGB" if image.bands > 2 else "grey"
    if space is None:
        return None, (Conversion("damaged profile"),)
    if space != expected:
        return None, (Conversion("unfit profile", space=space, expected=expected),)
    return profile, ()


def to_srgb(picture: Picture, cancellation: Cancellation | None = None) -> Picture:
    """Return the picture in sRGB and without a profile. Grey stays grey.

    A picture without a profile is taken to be in sRGB. A profile that libvips cannot convert is dropped, which is a
    conversion. Raises `Cancelled` soon after a cancellation, and `MachineError` if the machine lacks something.
    """
    profile, codes = picture.metadata.icc, picture.metadata.codes
    if codes is not None:
        lost = () if profile else (cicp.phrase(codes),)
        picture = replace(picture, metadata=replace(picture.metadata, codes=None)).noting(*lost)
    if profile is None:
        return picture
    metadata = replace(picture.metadata, icc=None, fields=tuple(map(_stating_srgb, picture.metadata.fields)))
    if not is_usable(profile, channels=picture.color.shape[2]):
        return replace(picture, metadata=metadata).noting(_UNUSABLE)
    image = with_profile(to_image(picture.samples), profile)
    try:
        samples = to_samples(transformed(image, grey=picture.samples.shape[2] < 3), cancellation)
    except pyvips.Error as error:
        if (trouble := machine_error(error, "the colours cannot be converted")) is not None:
            raise trouble from error
        return replace(picture, metadata=metadata).noting(_UNUSABLE)
    return replace(picture, samples=samples, metadata=metadata)


def _stating_srgb(entry: tuple[str, int, Any]) -> tuple[str, int, Any]:
    """Return a metadata field that states sRGB, if it states a colour space.

    EXIF may state "uncalibrated", or Adobe RGB by R03. Without a profile, some readers use it.
    """
    field, kind, value = entry
    if field != "exif-data":
        return entry
    block = ExifBlock(value)
    block.set_srgb()
    return field, kind, bytes(block)


def is_usable(profile: bytes, *, channels: int) -> bool:
    """Return whether libvips converts from a profile of 1, 3 or 4 channels.

    libvips silently takes another profile if the body of this one is damaged.
    """
    if channels != _RGB:
        return _has_curve(profile)
    probe = with_profile(to_image(np.full((1, 1, _RGB), (200, 30, 40), np.uint8)), profile)
    try:  # the other profile decides the result only if this one does not
        found = [probe.icc_transform("srgb", embedded=True, input_profile=other).numpy() for other in ("srgb", "p3")]
    except pyvips.Error:
        return False
    return np.array_equal(*found)


def _has_curve(profile: bytes) -> bool:
    """Return whether a profile of grey or CMYK has a curve or a table within its bounds (ICC.1:2022, 7.3)."""
    count = min(int.from_bytes(profile[128:132], "big"), _MOST_TAGS)
    for place in range(132, 132 + 12 * count, 12):
        start, length = (int.from_bytes(profile[place + part : place + part + 4], "big") for part in (4, 8))
        kinds = _CURVES.get(profile[place : place + 4], ())
        if profile[start : start + 4] in kinds and start + length <= len(profile):
            return True
    return False


def with_profile(image: Any, profile: bytes) -> Any:
    """Return the libvips image with a profile attached."""
    image = image.copy()
    image.set_type(pyvips.GValue.blob_type, FIELD, profile)
    return image


def transformed(image: Any, fallback: str | None = None, *, grey: bool = False) -> Any:
    """Return a libvips image converted to sRGB from its profile, or from `fallback` if it has none.

    The number of bits stays. `grey` returns one channel of colour. Raises `pyvips.Error` if the profile cannot be converted.
    """
    deep = image.format != "uchar"
    given = {} if fallback is None else {"input_profile": fallback}
    converted = image.icc_transform(
        "srgb", embedded=True, intent="relative", black_point_compensation=True, depth=16 if deep else 8, **given
    )
    if grey:  # R, G and B are equal
        rest = [converted[band] for band in range(3, converted.bands)]
        converted = converted[0].bandjoin(rest) if rest else converted[0]
        converted = converted.copy(interpretation="grey16" if deep else "b-w")
    return converted
