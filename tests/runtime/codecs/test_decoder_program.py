from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from upconv.runtime.codecs import decoder_program
from upconv.runtime.codecs.decoder_program import FAILED, Decoded, Note, decode, pillow_file, write

Encoded = Callable[..., bytes]


def samples(decoded: Decoded) -> np.ndarray:
    whole: np.ndarray = np.concatenate(list(decoded.blocks()))
    return whole


def heic(pixels: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    height, width = pixels.shape[:2]
    deep = ";16" if pixels.dtype == np.uint16 else ""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[pixels.shape[2]] + deep
    pillow_heif.from_bytes(mode, (width, height), np.ascontiguousarray(pixels).tobytes()).save(buffer, **options)
    return buffer.getvalue()


WRITTEN = {"BMP": "1 L P RGB", "TGA": "1 L P LA RGB RGBA", "PPM": "1 L RGB", "JPEG2000": "L LA RGB RGBA"}
"""The modes that Pillow writes in a format."""


@pytest.mark.parametrize(("format", "mode"), [(format, mode) for format, modes in WRITTEN.items() for mode in modes.split()])
def test_pixels_are_those_that_pillow_wrote(pillow: Encoded, photograph: Any, format: str, mode: str) -> None:
    name = {"BMP": "bmp", "TGA": "tga", "PPM": "pnm", "JPEG2000": "jp2"}[format]
    image = Image.fromarray(photograph(31, 40)).convert(mode)
    expected = np.asarray(image.convert("RGB") if mode == "P" else image.convert("L") if mode == "1" else image)
    decoded = decode(pillow(image, format), name, 31 * 40)
    np.testing.assert_array_equal(samples(decoded), expected.reshape(31, 40, -1))
    assert (decoded.deep, decoded.bits) == (False, None)


@pytest.mark.parametrize(("header", "white"), [(b"P5", 65535), (b"P6", 65535), (b"P5", 1023), (b"P6", 100)])
def test_binary_maps_of_any_largest_value(header: bytes, white: int) -> None:
    channels = 3 if header == b"P6" else 1
    values = np.random.default_rng(0).integers(0, white + 1, (5, 7, channels))
    body = values.astype(">u2" if white > 255 else np.uint8).tobytes()
    decoded = decode(header + b"\n# by hand\n7 5\n%d\n" % white + body, "pnm", 35)
    full = 65535 if white > 255 else 255
    np.testing.assert_array_equal(samples(decoded), np.rint(values * (full / white)))
    assert decoded.deep is (white > 255)


def test_further_pictures_of_a_map_are_said() -> None:
    one = b"P5 1 1 255\n\7"
    assert decode(one + one, "pnm", 1).notes == (("first of several", {}),)
    assert decode(one + b"\nrest", "pnm", 1).notes == ()


@pytest.mark.parametrize(("bits", "channels"), [(8, 1), (8, 3), (8, 4), (10, 3), (10, 4), (12, 1)])
def test_heic_in_full_range(photograph: Any, bits: int, channels: int) -> None:
    pixels = np.tile(photograph(64, 64)[..., :1], (1, 1, channels))
    pixels[:32] = np.where(np.arange(64)[:, None] < 32, 0, 255)
    given = pixels if bits == 8 else pixels.astype(np.uint16) * 257
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    data = heic(given, quality=-1, chroma=444)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    decoded = decode(data, "heic", 64 * 64)
    found = samples(decoded)
    assert (found.shape, decoded.bits) == ((64, 64, channels), bits if bits > 8 else None)
    assert (found[:30, :30, 0].max(), found[:30, 34:, 0].min()) == (0, 65535 if bits > 8 else 255)


def test_heic_gives_its_profile_exif_and_xmp(pillow: Encoded, p3: bytes) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    image = Image.new("RGB", (64, 64), (200, 30, 40))
    image.info |= {"icc_profile": p3, "exif": exif.tobytes(), "xmp": b"<x:xmpmeta/>"}
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer)
    blobs = dict(decode(buffer.getvalue(), "heic", 64 * 64).blobs)
    assert blobs["icc-profile-data"] == p3
    assert b"Camera" in blobs["exif-data"]
    assert b"xmpmeta" in blobs["xmp-data"]


def test_heic_of_several_pictures_says_so() -> None:
    file = pillow_heif.from_pillow(Image.new("RGB", (64, 64)))
    file.add_from_pillow(Image.new("RGB", (64, 64)))
    buffer = io.BytesIO()
    file.save(buffer)
    assert decode(buffer.getvalue(), "heic", 64 * 64).notes == (("main picture", {"count": 2}),)


def test_a_profile_and_a_resolution_in_bmp(pillow: Encoded, p3: bytes) -> None:
    plain = pillow(Image.new("RGB", (2, 2), (1, 2, 3)), "BMP", dpi=(300, 150))
    assert decode(plain, "bmp", 4).dpi == pytest.approx((300, 150), abs=0.1)
    header = bytearray(124)
    header[:40] = plain[14:54]
    header[:4] = struct.pack("<I", 124)
    header[56:60] = b"DEBM"
    header[112:120] = struct.pack("<II", 124 + 16, len(p3))
    start = 14 + 124
    data = b"BM" + struct.pack("<IHHI", start + 16 + len(p3), 0, 0, start) + bytes(header) + plain[54:] + p3
    decoded = decode(data, "bmp", 4)
    assert dict(decoded.blobs) == {"icc-profile-data": p3}
    assert samples(decoded)[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("alpha", "channels", "notes"), [(0, 3, (("empty opacity", {}),)), (7, 4, ())])
def test_opacity_in_bmp(alpha: int, channels: int, notes: tuple[Note, ...]) -> None:
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header = struct.pack("<IiiHHIIiiII", 108, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0) + masks + bytes(52)
    data = b"BM" + struct.pack("<IHHI", 126, 0, 0, 122) + header + bytes([3, 2, 1, alpha])
    decoded = decode(data, "bmp", 1)
    assert (decoded.shape, decoded.notes) == ((1, 1, channels), notes)
    assert samples(decoded)[0, 0, :3].tolist() == [1, 2, 3]


def test_what_jpeg_2000_loses_is_said(pillow: Encoded) -> None:
    plain = bytearray(pillow(Image.new("RGB", (8, 8)), "JPEG2000", no_jp2=True))
    assert decode(bytes(plain), "jp2", 64).notes == ()
    for component in range(3):
        plain[plain.index(b"\xff\x51") + 40 + 3 * component] = 11
    assert ("fewer bits", {"bits": 12, "fewer": 8}) in decode(bytes(plain), "jp2", 64).notes


@pytest.mark.parametrize("name", ["bmp", "pnm", "heic"])
def test_a_picture_larger_than_its_header_is_refused(pillow: Encoded, name: str) -> None:
    image = Image.new("RGB", (64, 64))
    data = heic(np.zeros((64, 64, 3), np.uint8)) if name == "heic" else pillow(image, {"bmp": "BMP", "pnm": "PPM"}[name])
    assert decode(data, name, 64 * 64).shape == (64, 64, 3)
    with pytest.raises(ValueError, match="64x64 pixels, more than its header states"):
        decode(data, name, 64 * 64 - 1)


def test_floating_point_is_refused() -> None:
    with pytest.raises(ValueError, match="convert the picture to 8 or 16 bits first"):
        decode(b"Pf\n1 1\n-1.0\n" + bytes(4), "pnm", 1)


def test_only_the_header_is_read_first(pillow: Encoded) -> None:
    assert pillow_file(pillow(Image.new("RGB", (9, 7)), "BMP")[:60], "bmp").size == (9, 7)


def test_a_picture_is_written_as_a_line_blobs_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_program, "_BLOCK_BYTES", 12)
    rows = np.arange(24, dtype=np.uint16).reshape(4, 2, 3)
    decoded = Decoded((4, 2, 3), True, lambda top, bottom: rows[top:bottom], bits=10, blobs=(("a", b"xyz"),))
    target = io.BytesIO()
    write(decoded, target)
    line, _, rest = target.getvalue().partition(b"\n")
    assert json.loads(line) | {"notes": []} == {
        "shape": [4, 2, 3],
        "deep": True,
        "bits": 10,
        "notes": [],
        "dpi": None,
        "premultiplied": False,
        "blobs": [["a", 3]],
    }
    assert rest == b"xyz" + rows.tobytes()
    assert len(list(decoded.blocks())) == 4


def test_the_program_states_why_it_fails(pillow: Encoded) -> None:
    order = json.dumps({"name": "jp2", "most_px": 64, "cpu_s": 10, "memory_bytes": 1 << 30})
    data = pillow(Image.new("RGB", (8, 8)), "JPEG2000")
    command = [sys.executable, "-P", decoder_program.__file__, order]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    broken = subprocess.run(command, input=data[:-20], capture_output=True, check=False)
    assert (broken.returncode, broken.stdout) == (FAILED, b"")
    assert broken.stderr.strip() == b"broken data stream when reading image file"
