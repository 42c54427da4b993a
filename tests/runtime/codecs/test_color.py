from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from upconv.runtime import codecs
from upconv.runtime.codecs.profiles import space_of
from upconv.runtime.errors import ImageError
from upconv.runtime.picture import Metadata, Picture

Pillow = Callable[..., bytes]
RED = np.full((6, 8, 3), (200, 30, 40), np.uint8)


def tiff(pixels: Any, photometric: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric=photometric, **options)
    return buffer.getvalue()


def grey_profile() -> bytes:
    """Return a grey profile with a gamma of 2.2 (ICC.1:2022, section 7)."""
    white = bytes.fromhex("0000f6d6000100000000d32d")
    tags = {b"wtpt": b"XYZ " + bytes(4) + white, b"kTRC": b"curv" + bytes(4) + bytes.fromhex("00000001 02330000")}
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table += name + (start + len(body)).to_bytes(4, "big") + len(value).to_bytes(4, "big")
        body += value
    head = bytes(4) + bytes.fromhex("02200000") + b"mntrGRAYXYZ " + bytes(12) + b"acsp" + bytes(28) + white
    whole = bytes(4) + head.ljust(124, b"\0") + len(tags).to_bytes(4, "big") + table + body
    return len(whole).to_bytes(4, "big") + whole[4:]


@pytest.mark.parametrize(
    ("data", "dtype", "first", "notes"),
    [
        pytest.param(tiff(RED, "rgb"), np.uint8, [200, 30, 40], [], id="8 bits"),
        pytest.param(tiff(RED.astype(np.uint16) * 257, "rgb"), np.uint16, [51400, 7710, 10280], [], id="16 bits"),
        pytest.param(tiff(RED[..., 0], "minisblack"), np.uint8, [200], [], id="grey"),
        pytest.param(tiff(RED[..., 0], "miniswhite"), np.uint8, [55], [], id="white is 0"),
        pytest.param(tiff(RED[..., 0] > 9, "minisblack"), np.uint8, [255], [], id="1 bit"),
        pytest.param(
            tiff(RED.astype(np.uint32) << 24, "rgb"), np.uint16, [51200, 7680, 10240], ["32 bits reduced to 16"], id="32 bits"
        ),
        pytest.param(
            tiff((RED / 255).astype(np.float32), "rgb"), np.uint16, [58879, 24740, 28350], ["scrgb in float"], id="float"
        ),
        pytest.param(
            tiff(np.dstack([RED // 2, RED[..., :1] * 0 + 128]), "rgb", extrasamples=[1]),
            np.uint8,
            [199, 29, 39, 128],
            [],
            id="premultiplied alpha",
        ),
        pytest.param(
            tiff(np.dstack([RED, RED]), "rgb", extrasamples=[2, 0, 0]),
            np.uint8,
            [200, 30, 40, 200],
            ["2 channels besides colour and alpha dropped"],
            id="channels beyond alpha",
        ),
    ],
)
def test_every_kind_of_pixel(data: bytes, dtype: Any, first: list[int], notes: list[str]) -> None:
    picture = codecs.decode(data)
    assert picture.samples.dtype == dtype
    np.testing.assert_allclose(picture.samples, np.broadcast_to(first, picture.samples.shape), atol=1)
    assert [any(said.startswith(note) for said in picture.conversions) for note in notes] == [True] * len(picture.conversions)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (tiff(RED[..., 0].astype(np.float32), "minisblack"), "float samples, whose range is not known"),
        (tiff(RED[..., 0].astype(np.int16), "minisblack"), "short samples, whose range is not known"),
        (tiff(np.zeros((6, 8, 20), np.uint8), "minisblack", planarconfig="contig"), "20 channels"),
    ],
)
def test_pixels_of_unknown_meaning_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        codecs.decode(data)


def test_kinds_that_libvips_does_not_read_are_not_called_damaged() -> None:
    for data in (
        tiff(RED, "cielab"),
        tiff(RED, "rgb").replace(b"\x03\x01\x03\x00\x01\x00\x00\x00\x01\x00", b"\x03\x01\x03\x00\x01\x00\x00\x00\x50\xc3"),
    ):
        with pytest.raises(ImageError, match="the tiff data is of a kind that is not read"):
            codecs.decode(data)


@pytest.mark.parametrize(("mode", "channels"), [("1", 1), ("L", 1), ("LA", 2), ("P", 3), ("RGB", 3), ("RGBA", 4)])
def test_modes_of_png(mode: str, channels: int, pillow: Pillow) -> None:
    picture = codecs.decode(pillow(RED, "PNG", mode))
    assert picture.samples.shape == (6, 8, channels)
    expected = np.asarray(Image.fromarray(RED).convert(mode).convert("RGBA").convert("RGB"))
    assert np.abs(picture.color.astype(int) - expected[..., : picture.color.shape[2]]).max() <= 1
    assert picture.conversions == (("palette expanded to RGB",) if mode == "P" else ())


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_goes_through_its_own_profile(format: str, pillow: Pillow) -> None:
    image = pyvips.Image.new_from_array(RED).copy(interpretation="srgb").icc_transform("cmyk", input_profile="srgb")
    profile = image.get("icc-profile-data")
    data = pillow(_cmyk(image.numpy()), format, icc_profile=profile)
    picture = codecs.decode(data)
    assert (picture.samples.shape, picture.metadata.icc, picture.conversions) == ((6, 8, 3), None, ("CMYK converted to sRGB",))
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(
        _cmyk(image.numpy()),
        source,
        target,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        "RGB",
        False,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert expected is not None
    assert np.abs(picture.samples.astype(int) - np.asarray(expected)).max() <= 2


def _cmyk(samples: np.ndarray) -> Image.Image:
    return Image.frombytes("CMYK", (samples.shape[1], samples.shape[0]), samples.tobytes())


def test_a_wide_gamut_is_kept_with_its_profile_or_converted(p3: bytes, pillow: Pillow) -> None:
    picture = codecs.decode(pillow(RED, "PNG", icc_profile=p3))
    assert picture.metadata.icc == p3
    np.testing.assert_array_equal(picture.samples, RED)
    converted = codecs.to_srgb(picture)
    assert converted.metadata.icc is None
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(p3)), ImageCms.createProfile("sRGB")
    expected = ImageCms.profileToProfile(
        Image.fromarray(RED), source, target, renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC
    )
    assert expected is not None
    assert np.abs(converted.samples.astype(int) - np.asarray(expected)).max() <= 2


def test_exif_says_srgb_after_the_conversion(p3: bytes, pillow: Pillow) -> None:
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 65535, 0x9003: "2020:01:01 00:00:00", 0xA005: {1: "R03"}}
    picture = codecs.decode(pillow(RED, "JPEG", icc_profile=p3, exif=exif))
    for made, space, index in ((picture, 65535, "R03"), (codecs.to_srgb(picture), 1, "R98")):
        found = Image.open(io.BytesIO(codecs.encode(made, "jpeg")[0])).getexif()
        assert (found.get_ifd(0x8769)[0xA001], found.get_ifd(0xA005)[1]) == (space, index)
        assert found.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


def test_srgb_by_profile_stays_nearly_as_it_is(photograph: Callable[[int, int], np.ndarray]) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Picture(photograph(32, 32), metadata=Metadata(icc=srgb))
    assert np.abs(codecs.to_srgb(picture).samples.astype(int) - picture.samples).max() <= 1


def test_conversion_keeps_depth_alpha_and_grey(p3: bytes) -> None:
    deep = np.full((5, 4, 4), (20000, 30000, 40000, 1234), np.uint16)
    converted = codecs.to_srgb(Picture(deep, metadata=Metadata(icc=p3)))
    assert converted.samples.dtype == np.uint16
    assert (converted.samples[..., 3] == 1234).all()
    grey = codecs.to_srgb(Picture(np.full((5, 4, 2), 100, np.uint8), metadata=Metadata(icc=grey_profile())))
    assert grey.samples.shape == (5, 4, 2)
    assert np.abs(grey.samples[..., 0].astype(int) - 100).max() <= 4, "the curve of sRGB is nearly a gamma of 2.2"


@pytest.mark.parametrize(
    ("profile", "mode", "note"),
    [
        (b"no profile at all", "RGB", "damaged colour profile dropped"),
        (bytes(200), "RGB", "damaged colour profile dropped"),
        ("p3", "L", "RGB colour profile dropped, which is not valid for grey pixels"),
        ("grey", "RGB", "grey colour profile dropped, which is not valid for RGB pixels"),
    ],
)
def test_profiles_that_do_not_fit_are_dropped_and_said(
    profile: bytes | str, mode: str, note: str, p3: bytes, pillow: Pillow
) -> None:
    named: dict[bytes | str, bytes] = {"p3": p3, "grey": grey_profile()}
    picture = codecs.decode(pillow(RED, "JPEG", mode, icc_profile=named.get(profile, profile)))
    assert (picture.metadata.icc, picture.conversions) == (None, (note,))


@pytest.mark.parametrize("format", ["webp", "avif"])
def test_grey_with_a_profile_becomes_srgb_where_a_format_has_no_grey(format: str) -> None:
    picture = Picture(np.full((8, 8, 1), 100, np.uint8), metadata=Metadata(icc=grey_profile()))
    data, noted = codecs.encode(picture, format)
    assert noted.conversions == (f"grey written as RGB, because {format} is always RGB",)
    assert codecs.decode(data).metadata.icc is None


def named(data: bytes, format: str, primaries: int, curve: int) -> bytes:
    """Return the file with its colour space stated by code points."""
    if format == "PNG":
        body = b"cICP" + bytes([primaries, curve, 0, 1])
        return data[:33] + b"\0\0\0\4" + body + zlib.crc32(body).to_bytes(4, "big") + data[33:]
    place = data.index(b"colrnclx") + 8
    return data[:place] + primaries.to_bytes(2, "big") + curve.to_bytes(2, "big") + data[place + 4 :]


@pytest.mark.parametrize("format", ["PNG", "AVIF"])
@pytest.mark.parametrize(
    ("primaries", "curve", "wide", "notes"),
    [
        (1, 13, False, ()),
        (2, 2, False, ()),
        (12, 13, True, ()),
        (9, 16, False, ("colours in BT.2020 PQ taken as sRGB",)),
        (1, 18, False, ("colours in HLG taken as sRGB",)),
        (99, 13, False, ("colours in H.273 code 99 taken as sRGB",)),
    ],
)
def test_colours_named_by_numbers(
    format: str, primaries: int, curve: int, wide: bool, notes: tuple[str, ...], p3: bytes, pillow: Pillow
) -> None:
    picture = codecs.decode(named(pillow(RED, format), format, primaries, curve))
    assert picture.conversions == ()
    assert codecs.encode(picture, "webp")[1].conversions == codecs.to_srgb(picture).conversions == notes
    written = codecs.encode(picture, "png")
    assert written[1].conversions == ()
    assert codecs.decode(written[0]).metadata.codes == picture.metadata.codes
    assert (picture.metadata.icc is not None) == wide
    if wide:
        expected = codecs.to_srgb(Picture(picture.samples, metadata=Metadata(icc=p3)))
        assert np.abs(codecs.to_srgb(picture).samples.astype(int) - expected.samples).max() <= 1


def cut(profile: bytes) -> bytes:
    """Return a profile with its header and no body."""
    return profile[:132] + b"\xff" * (len(profile) - 132)


@pytest.mark.parametrize("space", ["RGB", "grey", "CMYK"])
def test_a_profile_without_a_body_is_not_converted_silently(space: str, p3: bytes, pillow: Pillow) -> None:
    cmyk = pyvips.Image.new_from_array(RED).copy(interpretation="srgb").icc_transform("cmyk", input_profile="srgb")
    if space == "CMYK":
        for profile, notes in (
            (cmyk.get("icc-profile-data"), ("CMYK converted to sRGB",)),
            (cut(cmyk.get("icc-profile-data")), ("damaged colour profile dropped", "CMYK converted to sRGB")),
        ):
            assert codecs.decode(pillow(_cmyk(cmyk.numpy()), "JPEG", icc_profile=profile)).conversions == notes
        return
    profile, samples = (p3, RED) if space == "RGB" else (grey_profile(), RED[..., :1])
    assert codecs.to_srgb(Picture(samples, metadata=Metadata(icc=profile))).conversions == ()
    dropped = codecs.to_srgb(Picture(samples, metadata=Metadata(icc=cut(profile))))
    assert dropped.conversions == ("colour profile dropped, because it cannot be converted",)
    np.testing.assert_array_equal(dropped.samples, samples)


def test_the_space_of_a_profile(p3: bytes) -> None:
    assert (space_of(p3), space_of(grey_profile()), space_of(p3[:-1]), space_of(b"")) == ("RGB", "grey", None, None)
