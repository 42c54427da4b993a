from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs import tiff_pixels, tiff_tags
from upconv.runtime.errors import ImageError

Pillow = Callable[..., bytes]
Photograph = Callable[[int, int], np.ndarray]
SELECTION = np.zeros((16, 24, 1), np.uint8)
SELECTION[4:8] = 255


def tiff(pixels: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, metadata=None, **options)
    return buffer.getvalue()


def directory(data: bytes, **tags: tuple[int, ...]) -> bytes:
    """Return a TIFF file of one strip. The names of tags are t and their number; many values and rationals are LONGs in pairs."""
    entries = {int(name[1:]): values for name, values in tags.items()} | {273: (0,), 279: (len(data),)}
    start, extra = 8 + 2 + 12 * len(entries) + 4, b""
    lines = {}
    for tag, values in sorted(entries.items()):
        kind, packed = (
            (5, struct.pack(f"<{len(values)}I", *values)) if len(values) >= 6 else (3, struct.pack(f"<{len(values)}H", *values))
        )
        count = len(values) // 2 if kind == 5 else len(values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", start + len(extra)), extra + packed
        lines[tag] = struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    lines[273] = struct.pack("<HHII", 273, 4, 1, start + len(extra))
    return b"II*\0" + struct.pack("<IH", 8, len(lines)) + b"".join(lines.values()) + bytes(4) + extra + data


def ycbcr(samples: np.ndarray, **tags: tuple[int, ...]) -> bytes:
    """Return a TIFF file of YCbCr samples that are neither compressed nor subsampled."""
    size = {"t256": (samples.shape[1],), "t257": (samples.shape[0],), "t258": (8, 8, 8), "t259": (1,), "t262": (6,)}
    return directory(samples.tobytes(), **(size | {"t277": (3,), "t278": (samples.shape[0],), "t530": (1, 1)} | tags))


@pytest.mark.parametrize(
    ("channels", "kinds", "opacity", "dropped"),
    [
        (3, ["unspecified"], None, 1),
        (3, ["unassalpha"], 0, 0),
        (3, ["unspecified", "unassalpha"], 1, 1),
        (3, ["unassalpha", "unspecified"], 0, 1),
        (1, ["unspecified"], None, 1),
        (1, ["unspecified", "unassalpha"], 1, 1),
        (1, ["unspecified"] * 6, None, 6),
        (4, ["unspecified"], None, 1),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_only_channels_that_the_file_calls_opacity_are(
    channels: int, kinds: list[str], opacity: int | None, dropped: int, deep: bool, photograph: Photograph
) -> None:
    color = np.concatenate([photograph(16, 24)] * 2, axis=2)[..., :channels]
    extras = [np.roll(SELECTION, number, axis=0) for number in range(len(kinds))]
    pixels = np.concatenate([color, *extras], axis=2)
    space = {1: "minisblack", 3: "rgb", 4: "separated"}[channels]
    made = tiff(
        pixels.astype(np.uint16) * 257 if deep else pixels, photometric=space, extrasamples=kinds, planarconfig="contig"
    )
    picture = codecs.decode(made)
    said = f"{dropped} channel{'s' * (dropped > 1)} besides colour and alpha dropped"
    assert [note for note in picture.conversions if "channel" in note] == [said] * (dropped > 0)
    unit = 257 if deep else 1
    if channels < 4:
        np.testing.assert_array_equal(picture.color, color.astype(picture.samples.dtype) * unit)
    if opacity is None:
        assert picture.alpha is None
    else:
        np.testing.assert_array_equal(picture.alpha, extras[opacity].astype(picture.samples.dtype) * unit)


@pytest.mark.parametrize(("extra", "opacity"), [(1, True), (2, False)])
def test_one_channel_without_a_statement_is_opacity(extra: int, opacity: bool) -> None:
    pixels = np.full((2, 3, 3 + extra), 90, np.uint8)
    size = {
        "t256": (3,),
        "t257": (2,),
        "t258": (8,) * (3 + extra),
        "t259": (1,),
        "t262": (2,),
        "t277": (3 + extra,),
        "t278": (2,),
    }
    picture = codecs.decode(directory(pixels.tobytes(), **size))
    assert (picture.has_alpha, picture.samples.min(), len(picture.conversions)) == (opacity, 90, int(not opacity))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_ycbcr_becomes_rgb(compression: str | None, photograph: Photograph, pillow: Pillow) -> None:
    image = Image.fromarray(photograph(32, 48)).convert("YCbCr")
    options = {"compression": compression, "quality": 100} if compression == "jpeg" else {"compression": compression}
    samples = codecs.decode(pillow(image, "TIFF", **options)).samples
    assert np.abs(samples.astype(int) - np.asarray(image.convert("RGB"))).mean() < (4 if compression == "jpeg" else 0.6)


def test_subsampled_ycbcr_has_no_opacity(photograph: Photograph) -> None:
    image = np.asarray(Image.fromarray(photograph(16, 24)).resize((6, 4)).resize((24, 16)).convert("YCbCr"))
    blocks = image.reshape(8, 2, 12, 2, 3).transpose(0, 2, 1, 3, 4).reshape(96, 4, 3)
    data = np.concatenate([blocks[..., 0], blocks[:, 0, 1:]], axis=1).astype(np.uint8).tobytes()
    picture = codecs.decode(ycbcr(image, t530=(2, 2), t279=(len(data),)).replace(image.tobytes(), data))
    assert picture.samples.shape == (16, 24, 3)
    assert np.abs(picture.samples.astype(int) - np.asarray(Image.fromarray(image, "YCbCr").convert("RGB"))).mean() < 12


def test_stated_levels_and_coefficients_are_heeded() -> None:
    samples = np.array([[[16, 128, 128], [235, 128, 128], [16 + 55, 128, 240]]], np.uint8)
    levels = {"t532": (16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1)}
    found = codecs.decode(ycbcr(samples, **levels)).samples[0]
    assert (found[0].tolist(), found[1].tolist()) == ([0, 0, 0], [255, 255, 255])
    luma = (55 * 255 / 219, 2 * 127)
    weights = {"t529": (2126, 10000, 7152, 10000, 722, 10000)}
    for tags, red in ((levels, 0.299), (levels | weights, 0.2126)):
        assert codecs.decode(ycbcr(samples, **tags)).samples[0, 2, 0] == min(255, round(luma[0] + luma[1] * (1 - red)))


@pytest.mark.parametrize(
    "tags",
    [
        {"t532": (16, 1, 16, 1, 128, 1, 240, 1, 128, 1, 240, 1)},
        {"t529": (299, 1000, 0, 1000, 114, 1000)},
    ],
)
def test_coefficients_of_zero_are_refused(tags: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ImageError, match="its YCbCr coefficients are 0"):
        codecs.decode(ycbcr(np.zeros((2, 2, 3), np.uint8), **tags))


@pytest.mark.parametrize(
    ("tag", "value", "words"),
    [
        (tiff_tags.COMPRESSION, 6, "old-style JPEG; convert it to another compression"),
        (tiff_tags.PHOTOMETRIC, 9, "ICC L"),
        (tiff_tags.PHOTOMETRIC, 10, "ITU L"),
        (tiff_tags.PHOTOMETRIC, 4, "a mask"),
        (tiff_tags.PHOTOMETRIC, 777, "the colour space 777"),
    ],
)
def test_what_libvips_reads_wrongly_is_refused(tag: int, value: int, words: str) -> None:
    data = tiff(np.zeros((4, 4, 3), np.uint8), photometric="rgb")
    entry = struct.pack("<HHI", tag, 3, 1)
    place = data.index(entry) + 8
    with pytest.raises(ImageError, match=f"of a kind that is not read: {words}"):
        codecs.decode(data[:place] + struct.pack("<H", value) + data[place + 2 :])


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("channels", "space", "read"), [(1, "minisblack", False), (3, "rgb", True), (4, "separated", True)])
def test_separate_planes_are_read_or_refused(channels: int, space: str, read: bool, deep: bool, photograph: Photograph) -> None:
    pixels = np.concatenate([photograph(16, 24)] * 2, axis=2)[..., : channels + (channels < 4)]
    pixels = pixels.astype(np.uint16) * 257 if deep else pixels
    kinds = {"extrasamples": ["unassalpha"]} if channels < 4 else {}
    plain, separate = (
        tiff(made, photometric=space, planarconfig=planes, **kinds)
        for made, planes in ((pixels, "contig"), (np.moveaxis(pixels, 2, 0).copy(), "separate"))
    )
    if read:
        np.testing.assert_array_equal(codecs.decode(separate).samples, codecs.decode(plain).samples)
    else:
        with pytest.raises(ImageError, match="grey in separate planes; save it with one plane"):
            codecs.decode(separate)


def test_one_grey_plane_is_read(photograph: Photograph) -> None:
    grey = photograph(16, 24)[..., 0]
    tags = {tiff_tags.PHOTOMETRIC: 1, tiff_tags.PLANES: 2, tiff_tags.SAMPLES_PER_PIXEL: 1}
    tiff_pixels.check(tags)
    np.testing.assert_array_equal(codecs.decode(tiff(grey, photometric="minisblack")).samples[..., 0], grey)


@pytest.mark.parametrize(("inks", "read"), [(None, True), (1, True), (2, False)])
def test_other_inks_than_cmyk_are_refused(inks: int | None, read: bool) -> None:
    tags = {tiff_tags.PHOTOMETRIC: 5} | ({} if inks is None else {tiff_tags.INK_SET: inks})
    if read:
        tiff_pixels.check(tags)
    else:
        with pytest.raises(ImageError, match="inks other than CMYK"):
            tiff_pixels.check(tags)
