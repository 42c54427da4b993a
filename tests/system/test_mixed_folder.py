"""A folder of 200 pictures of every format, mode, depth, profile and orientation comes back as it should."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pyvips
import tifffile
from PIL import Image, ImageCms

from upconv.models import bundled
from upconv.runtime import UpscaleOptions, Upscaler
from upconv.runtime.buckets import path_of
from upconv.runtime.folders import FileResult, Journal, find_tasks, process_folder

Pixels = np.ndarray

COUNT = 200
HEIGHT, WIDTH = 32, 48
"""Upright: four fields of 16x24, each of one colour, so that orientation shows."""
FIELDS = np.array([[(200, 30, 40), (30, 160, 60)], [(40, 60, 200), (230, 200, 90)]])
GREYS = np.array([[[200], [30]], [[90], [150]]])
ALPHA = np.array([[[255], [128]], [[200], [255]]])
INKS = np.array([[(20, 220, 200, 10), (210, 30, 190, 20)], [(230, 190, 10, 0), (10, 30, 160, 5)]])
MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "deep L", "deep LA", "deep RGB", "deep RGBA"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "P", "RGB", "RGBA", "CMYK", "deep L", "deep RGB", "deep RGBA"),
    "GIF": ("P", "RGBA"),
}
FIELDS_OF: dict[str, Pixels] = {
    "1": np.array([[[255], [0]], [[0], [255]]]),
    "L": GREYS,
    "LA": np.dstack([GREYS, ALPHA]),
    "RGB": FIELDS,
    "P": FIELDS,
    "RGBA": np.dstack([FIELDS, ALPHA]),
    "CMYK": INKS,
}
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: np.rot90(upright),
    7: lambda upright: np.rot90(upright, 2).swapaxes(0, 1),
    8: lambda upright: np.rot90(upright, -1),
}
"""How a picture lies in a file of each EXIF orientation (EXIF 2.32, page 37)."""
BEST: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100},
}
SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif"}


@dataclass(frozen=True)
class Case:
    """A file, and what must be true of its result."""

    format: str
    mode: str
    orientation: int
    icc: bytes | None
    data: bytes

    @property
    def expected(self) -> Pixels:
        """The four fields, (2, 2, C) from 0 to 1: a bicubic enlargement has these colours in their middles."""
        fields = FIELDS_OF[self.mode.removeprefix("deep ")]
        if self.mode == "CMYK":
            fields = separated(fields, self.icc)
        if self.format == "GIF" and self.mode == "RGBA":
            fields = np.dstack([FIELDS, np.where(ALPHA > 128, 255, 0)])
        return fields / 255

    @property
    def deep(self) -> bool:
        """Whether samples have 16 bits."""
        return self.mode.startswith("deep")


def separated(inks: Pixels, icc: bytes | None) -> Pixels:
    """Inks as sRGB, by Little CMS through Pillow."""
    assert icc is not None
    picture = Image.frombytes("CMYK", (2, 2), inks.astype(np.uint8).tobytes())
    source, target, flags = (
        ImageCms.ImageCmsProfile(io.BytesIO(icc)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    made = ImageCms.profileToProfile(picture, source, target, ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB", False, flags)
    return np.asarray(made)


def profiles() -> dict[str, bytes]:
    """A wide gamut and inks."""
    image = pyvips.Image.black(1, 1, bands=3).copy(interpretation="srgb")
    return {name: image.icc_transform(name, input_profile="srgb").get("icc-profile-data") for name in ("p3", "cmyk", "srgb")}


def cases() -> Iterator[Case]:
    """As many as asked for, each different from the last."""
    known = profiles()
    rounds = itertools.cycle([(format, mode) for format, modes in MODES.items() for mode in modes])
    for n, (format, mode) in zip(range(COUNT), rounds, strict=False):
        turns = n // 28 % 8 + 1 if format in ("JPEG", "PNG", "WEBP", "TIFF") else 1
        grey = mode.removeprefix("deep ") in ("1", "L", "LA")
        wide = (None, known["p3"], known["srgb"])[n % 3] if not grey and format != "GIF" else None
        icc = known["cmyk"] if mode == "CMYK" else wide
        yield Case(format, mode, turns, icc, written(format, mode, turns, icc))


def written(format: str, mode: str, orientation: int, icc: bytes | None) -> bytes:
    """The file's bytes, by Pillow, tifffile or by hand."""
    fields = FIELDS_OF[mode.removeprefix("deep ")]
    upright = np.repeat(np.repeat(fields, HEIGHT // 2, axis=0), WIDTH // 2, axis=1)
    pixels = np.ascontiguousarray(STORED[orientation](upright)).astype(np.uint8)
    if mode.startswith("deep") and format == "PNG":
        return deep_png(pixels, orientation, icc)
    if mode.startswith("deep") or (format == "TIFF" and mode == "RGBA"):
        return tiff(pixels.astype(np.uint16) * 257 if mode.startswith("deep") else pixels, orientation, icc)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {} if orientation == 1 else {"exif": exif}
    if format == "TIFF" and orientation > 1:
        options = {"tiffinfo": {274: orientation}}
    if icc is not None:
        options["icc_profile"] = icc
    options |= BEST.get(format, {})
    buffer = io.BytesIO()
    pillow_image(pixels, mode, format).save(buffer, format, **options)
    return buffer.getvalue()


def pillow_image(pixels: Pixels, mode: str, format: str) -> Image.Image:
    size = (pixels.shape[1], pixels.shape[0])
    if mode in ("1", "L", "P"):
        image = Image.fromarray(pixels[..., 0] if mode != "P" else pixels)
        return image.convert("1", dither=Image.Dither.NONE) if mode == "1" else image.quantize(8) if mode == "P" else image
    if format == "GIF":
        pixels = np.dstack([pixels[..., :3], np.where(pixels[..., 3] > 128, 255, 0)]).astype(np.uint8)
    return Image.frombytes(mode, size, np.ascontiguousarray(pixels).tobytes())


def deep_png(pixels: Pixels, orientation: int, icc: bytes | None) -> bytes:
    """16 bits a sample, which Pillow does not write (PNG, third edition, sections 5 and 11)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.tobytes() for row in (pixels.astype(np.uint16) * 257).astype(">u2"))
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + bytes(4)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))]
    parts += [chunk(b"iCCP", b"icc\0\0" + zlib.compress(icc))] if icc is not None else []
    parts += [chunk(b"eXIf", exif), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(pixels: Pixels, orientation: int, icc: bytes | None) -> bytes:
    buffer = io.BytesIO()
    channels = pixels.shape[2]
    tags: list[Any] = [(274, 3, 1, orientation, True)]
    tags += [(34675, 7, len(icc), icc, True)] if icc is not None else []
    tifffile.imwrite(
        buffer,
        pixels if channels > 1 else pixels[..., 0],
        photometric="rgb" if channels > 2 else "minisblack",
        extrasamples=[2] if channels in (2, 4) else None,
        extratags=tags,
    )
    return buffer.getvalue()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Case, FileResult, Any]]:
    """Each case with its outcome and the file that was written, opened anew by libvips."""
    folder = tmp_path_factory.mktemp("mixed")
    made = {}
    for n, case in enumerate(cases()):
        path = folder / "in" / str(n % 7) / f"{n}{SUFFIX.get(case.format, f'.{case.format.lower()}')}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
        made[path] = case
    options = UpscaleOptions(quality=100)
    with Upscaler(bundled("bicubic-x2"), workers=2) as upscaler:
        journal = Journal(folder / "out", upscaler.model.sha256, options)
        outcomes = list(process_folder(find_tasks([folder / "in"], folder / "out").jobs, upscaler, options, journal))
    assert [outcome.error for outcome in outcomes if outcome.error is not None] == []
    return [(made[path_of(o.job.source)], o, pyvips.Image.new_from_file(str(o.job.destination))) for o in outcomes]


def named(case: Case) -> str:
    return f"{case.format} {case.mode}, orientation {case.orientation}"


def test_every_picture_comes_back(results: list[tuple[Case, FileResult, Any]]) -> None:
    assert len(results) == COUNT
    assert len({(case.format, case.mode, case.orientation) for case, _, _ in results}) > 120


def test_size_and_orientation(results: list[tuple[Case, FileResult, Any]]) -> None:
    for case, outcome, image in results:
        assert (image.width, image.height) == outcome.after == (2 * WIDTH, 2 * HEIGHT), named(case)
        assert not image.get_typeof("orientation") or image.get("orientation") == 1, named(case)


def test_depth_channels_and_profile(results: list[tuple[Case, FileResult, Any]]) -> None:
    for case, outcome, image in results:
        assert image.format == ("ushort" if case.deep else "uchar"), named(case)
        assert image.bands == case.expected.shape[2], named(case)
        icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
        assert icc == (None if case.mode == "CMYK" else case.icc), named(case)
        assert ("CMYK converted to sRGB" in outcome.conversions) == (case.mode == "CMYK"), named(case)


def test_colours_of_flat_areas(results: list[tuple[Case, FileResult, Any]]) -> None:
    off: dict[str, float] = {}
    for case, _, image in results:
        pixels = image.numpy().reshape(image.height, image.width, -1) / (65535 if case.deep else 255)
        middles = pixels[HEIGHT // 2 :: HEIGHT, WIDTH // 2 :: WIDTH]
        seen = case.expected[..., -1:] > 0 if case.expected.shape[2] in (2, 4) else True  # no colour where nobody sees one
        off[named(case)] = float((np.abs(middles - case.expected) * seen).max() * 255)
    assert {name: steps for name, steps in off.items() if steps > 2} == {}
