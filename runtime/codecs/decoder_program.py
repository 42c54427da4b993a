"""Decoding by Pillow, and a program that does it: an image file on standard input, samples on standard output.

Pillow reads BMP, TGA, PNM and JPEG 2000, and pillow-heif reads HEIC. `decoder_process` runs this as a file, not as a module, so
that it starts without onnxruntime and libvips.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

PLUGINS = {
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "tga": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "pnm": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "jp2": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
}
"""The module and the class of Pillow that read a format."""
FAILED = 3
"""The exit status if the picture cannot be decoded. The reason is on standard error."""
_BLOCK_BYTES = 1 << 22
_RAW_PNM = (b"P5", b"P6")
_MODES = {"1": "L", "P": "RGB", "La": "LA", "RGBa": "RGBA", "YCbCr": "RGB", "RGBX": "RGB", "CMYK": "RGB"}
"""Modes of Pillow that are converted, and to what."""
Note = tuple[str, dict[str, int]]


@dataclass(frozen=True)
class Decoded:
    """A decoded picture: its samples and what belongs to them."""

    shape: tuple[int, int, int]
    """Height, width and channels."""
    deep: bool
    """True if the samples have 16 bits."""
    rows: Callable[[int, int], NDArray[Any]]
    """Returns the rows from the first number to the second, (h, W, C)."""
    bits: int | None = None
    """Bits per sample in the file, if they are between 8 and 16."""
    notes: tuple[Note, ...] = ()
    """Properties that are not delivered, as keys and values of `runtime/conversions.py`, which this program cannot import."""
    dpi: tuple[float, float] | None = None
    """The resolution in pixels per inch."""
    premultiplied: bool = False
    """True if the colours are multiplied by the opacity."""
    blobs: tuple[tuple[str, bytes], ...] = ()
    """ICC profile, EXIF and XMP, by the names of libvips' fields."""

    def blocks(self) -> Iterator[NDArray[Any]]:
        """Yield all rows in blocks of a few megabytes."""
        height, width, channels = self.shape
        step = max(1, _BLOCK_BYTES // (width * channels * (2 if self.deep else 1)))
        for top in range(0, height, step):
            block = self.rows(top, min(top + step, height))
            yield np.ascontiguousarray(block, np.uint16 if self.deep else np.uint8)


def pillow_file(data: bytes, name: str) -> Any:
    """Return Pillow's file of a format in `PLUGINS`, of which only the header is read. Raises what Pillow raises."""
    module, plugin = PLUGINS[name]
    return getattr(importlib.import_module(module), plugin)(io.BytesIO(data))


def decode(data: bytes, name: str, most_px: int) -> Decoded:
    """Return the picture in a file. Raises `ValueError` if it has more than `most_px` pixels, and what the decoders raise."""
    return _heic(data, most_px) if name == "heic" else _by_pillow(data, name, most_px)


def _by_pillow(data: bytes, name: str, most_px: int) -> Decoded:
    file = pillow_file(data, name)
    _check(file.size, most_px)
    if name == "pnm" and data[:2] in _RAW_PNM:
        return _raw_pnm(data, file)
    dpi, notes = file.info.get("dpi"), _unread(data, name)
    file.load()
    if file.mode not in ("L", "LA", "RGB", "RGBA", "I", *_MODES) and not file.mode.startswith("I;16"):
        raise ValueError(f"samples of the mode {file.mode} are not read; convert the picture to 8 or 16 bits first")
    mode = _MODES.get(file.mode, file.mode)
    if file.mode in ("P", "PA") and (file.mode == "PA" or "transparency" in file.info or file.palette.mode == "RGBA"):
        mode = "RGBA"
    if mode == "RGBA" and name == "bmp" and file.getchannel("A").getextrema() == (0, 0):
        mode, notes = "RGB", (*notes, ("empty opacity", {}))
    deep, (width, height) = mode.startswith("I"), file.size
    channels = 1 if deep else len(mode)

    def rows(top: int, bottom: int) -> NDArray[Any]:
        part = file.crop((0, top, width, bottom))
        part = part if deep or part.mode == mode else part.convert(mode)
        return np.asarray(part).reshape(bottom - top, width, channels)

    icc = file.info.get("icc_profile")
    return Decoded((height, width, channels), deep, rows, notes=notes, dpi=dpi, blobs=_blobs(icc or _bmp_profile(data, name)))


def _raw_pnm(data: bytes, file: Any) -> Decoded:
    """Return a binary grey or colour map, whose samples of 16 bits Pillow would reduce to 8."""
    width, height = file.size
    tile, channels = file.tile[0], 3 if data[:2] == b"P6" else 1
    argument = tile.args[1] if isinstance(tile.args, tuple) else {"I;16B": 65535}.get(tile.args, 255)
    deep = argument > 255
    samples = np.frombuffer(data, ">u2" if deep else np.uint8, height * width * channels, tile.offset)
    shaped = samples.reshape(height, width, channels)
    white = 65535 if deep else 255

    def rows(top: int, bottom: int) -> NDArray[Any]:
        block = shaped[top:bottom]
        return block if argument == white else np.minimum(np.rint(block * (white / argument)), white)

    rest = data[tile.offset + samples.nbytes :].lstrip()
    notes: tuple[Note, ...] = (("first of several", {}),) if rest[:1] == b"P" and rest[1:2] in b"123456" and rest[1:2] else ()
    return Decoded((height, width, channels), deep, rows, notes=notes)


def _heic(data: bytes, most_px: int) -> Decoded:
    heif = importlib.import_module("pillow_heif")
    file = heif.open_heif(data, convert_hdr_to_8bit=False)
    image = file[file.primary_index]
    _check(image.size, most_px)
    mode, _, depth = image.mode.partition(";")
    pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    bits, info = int(image.info.get("bit_depth", 8)), image.info

    def rows(top: int, bottom: int) -> NDArray[Any]:
        block = pixels[top:bottom]
        if not depth:
            return block
        values = block.astype(np.uint32) >> 16 - bits
        return (values * 65535 + (1 << bits - 1)) // ((1 << bits) - 1)

    notes: list[Note] = [("main picture", {"count": len(file)})] if len(file) > 1 else []
    notes += [("depth map", {})] if info.get("depth_images") else []
    auxiliary = (_AUXILIARY.get(kind.rpartition(":")[2], "auxiliary picture") for kind in info.get("aux") or ())
    notes += [(key, {}) for key in dict.fromkeys(auxiliary)]
    return Decoded(
        pixels.shape,
        bool(depth),
        rows,
        bits=bits if depth else None,
        notes=tuple(notes),
        premultiplied=mode.endswith("a"),
        blobs=_blobs(info.get("icc_profile"), info.get("exif"), info.get("xmp")),
    )


_AUXILIARY = {"hdrgainmap": "gain map"}


def _unread(data: bytes, name: str) -> tuple[Note, ...]:
    if name != "jp2":
        return ()
    head = data[: 1 << 16]
    notes: list[Note] = [("boxes not read", {})] if b"uuid" in head or b"xml " in head else []
    place = head.find(b"\xff\x51")
    components = int.from_bytes(head[place + 38 : place + 40], "big")
    if place >= 0 and components > 1 and head[place + 40] & 0x7F > 7:
        notes.append(("fewer bits", {"bits": (head[place + 40] & 0x7F) + 1, "fewer": 8}))
    return tuple(notes)


def _bmp_profile(data: bytes, name: str) -> bytes | None:
    """Return the profile that a BMP file of version 5 embeds (BITMAPV5HEADER)."""
    if name != "bmp" or int.from_bytes(data[14:18], "little") < 124 or data[70:74] != b"DEBM":
        return None
    start = 14 + int.from_bytes(data[126:130], "little")
    return data[start : start + int.from_bytes(data[130:134], "little")]


def _blobs(icc: bytes | None, exif: bytes | None = None, xmp: bytes | None = None) -> tuple[tuple[str, bytes], ...]:
    found = {"icc-profile-data": icc, "exif-data": exif, "xmp-data": xmp}
    return tuple((field, bytes(blob)) for field, blob in found.items() if blob)


def _check(size: tuple[int, int], most_px: int) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ValueError("a side of the picture is 0 pixels long")
    if width * height > most_px:
        raise ValueError(f"it holds {width}x{height} pixels, more than its header states")


def write(decoded: Decoded, target: BinaryIO) -> None:
    """Write a line of JSON, the blobs and the rows of a picture."""
    head = {name: value for name, value in asdict(decoded).items() if name not in ("rows", "blobs")}
    head["blobs"] = [[field, len(blob)] for field, blob in decoded.blobs]
    target.write(json.dumps(head).encode() + b"\n")
    for _, blob in decoded.blobs:
        target.write(blob)
    for block in decoded.blocks():
        target.write(block.data)
    target.flush()


def limit(cpu_s: int, memory_bytes: int) -> None:
    """Limit the processor time and the memory of this process, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    limit(order["cpu_s"], order["memory_bytes"])
    try:
        write(decode(sys.stdin.buffer.read(), order["name"], order["most_px"]), sys.stdout.buffer)
    except MemoryError:
        print("it needs more memory than a picture of its size", file=sys.stderr)
        sys.exit(FAILED)
    except Exception as failure:
        print(" ".join(str(failure).split())[:200] or type(failure).__name__, file=sys.stderr)
        sys.exit(FAILED)
