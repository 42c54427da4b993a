from __future__ import annotations

import numpy as np
import pytest
import pyvips
from PIL import Image

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs import profiles
from upconv.runtime.errors import Cancelled, OutOfMemoryError
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.resampling import to_image


def header(space: bytes = b"RGB ", signature: bytes = b"acsp", length: int = 132, stated: int | None = None) -> bytes:
    """The header of a profile of `length` bytes that states a length of `stated`."""
    size = (length if stated is None else stated).to_bytes(4, "big")
    return (size + bytes(12) + space + bytes(16) + signature + bytes(92))[:length]


@pytest.mark.parametrize(
    ("profile", "space"),
    [
        (header(b"RGB "), "RGB"),
        (header(b"GRAY"), "grey"),
        (header(b"CMYK"), "CMYK"),
        (header(b"Lab "), "Lab"),
        (header(b"XYZ "), "unknown"),
        (header() + b"padding", "RGB"),
        (header(length=131), None),
        (header(stated=133), None),
        (header(signature=b"none"), None),
        (b"", None),
    ],
)
def test_the_space_in_the_header(profile: bytes, space: str | None) -> None:
    assert profiles.space_of(profile) == space


@pytest.mark.parametrize(
    ("channels", "profile", "kept", "notes"),
    [
        (3, header(b"RGB "), True, ()),
        (4, header(b"RGB "), True, ()),
        (1, header(b"GRAY"), True, ()),
        (2, header(b"GRAY"), True, ()),
        (3, None, False, ()),
        (3, header(b"GRAY"), False, ("grey colour profile dropped, which is not valid for RGB pixels",)),
        (1, header(b"CMYK"), False, ("CMYK colour profile dropped, which is not valid for grey pixels",)),
        (3, b"cut", False, ("damaged colour profile dropped",)),
    ],
)
def test_a_profile_that_is_not_valid_for_the_pixels_is_dropped(
    channels: int, profile: bytes | None, kept: bool, notes: tuple[str, ...]
) -> None:
    image = to_image(np.zeros((2, 2, channels), np.uint8))
    image = image if profile is None else profiles.with_profile(image, profile)
    assert profiles.fitting(image) == (profile if kept else None, notes)


def test_a_profile_is_attached_to_a_copy() -> None:
    image = to_image(np.zeros((2, 2, 3), np.uint8))
    assert profiles.with_profile(image, header()).get(profiles.FIELD) == header()
    assert not image.get_typeof(profiles.FIELD)


def test_a_picture_without_a_profile_stays_as_it_is() -> None:
    picture = Picture(np.zeros((2, 2, 3), np.uint8))
    assert profiles.to_srgb(picture) is picture


def test_a_profile_that_cannot_be_converted_is_dropped_and_noted(p3: bytes) -> None:
    device_link = p3[:12] + b"link" + p3[16:]
    picture = Picture(np.full((2, 2, 3), 7, np.uint8), metadata=Metadata(icc=device_link))
    result = profiles.to_srgb(picture)
    assert result.metadata.icc is None
    assert result.conversions == ("colour profile dropped, because it cannot be converted",)
    np.testing.assert_array_equal(result.samples, picture.samples)


def test_exif_states_srgb_after_the_conversion(p3: bytes) -> None:
    made = Image.Exif()
    made[0x8769] = {0xA001: 65535, 0xA005: {1: "R03"}}
    fields = (("exif-data", pyvips.GValue.blob_type, made.tobytes()), ("xmp-data", pyvips.GValue.blob_type, b"packet"))
    result = profiles.to_srgb(Picture(np.zeros((2, 2, 3), np.uint8), metadata=Metadata(icc=p3, fields=fields)))
    (_, _, block), packet = result.metadata.fields
    found = Image.Exif()
    found.load(block)
    assert (found.get_ifd(0x8769)[0xA001], found.get_ifd(0xA005)[1], packet) == (1, "R98", fields[1])


def test_a_machine_without_memory_drops_no_profile(p3: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise pyvips.Error("unable to call", "vips_tracked: out of memory -- size == 45MB")

    picture = Picture(np.zeros((4, 4, 3), np.uint8), metadata=Metadata(icc=p3))
    monkeypatch.setattr(profiles, "to_samples", fail)
    with pytest.raises(OutOfMemoryError, match="the colours cannot be converted"):
        profiles.to_srgb(picture)


def test_no_colours_are_converted_after_a_cancellation(p3: bytes) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        profiles.to_srgb(Picture(np.zeros((4, 4, 3), np.uint8), metadata=Metadata(icc=p3)), cancellation)
