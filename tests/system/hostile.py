"""Files that mean harm, built in code. Run as a program, it decodes each in turn and prints what came of it, as JSON lines.

A name's first word is the format. Most are small and announce, or unfold to, far more than they hold.
"""

from __future__ import annotations

import io
import json
import resource
import struct
import sys
import time
import zlib
from collections.abc import Iterator

import pillow_heif
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.errors import UpconvError

MAX_PIXELS = 1_000_000
FRAMES = 20_000


def main() -> None:
    """Decode every file under one limit, still and with every frame."""
    codecs.decode(_png(4, 4, _idat(4, 4)))
    base = _peak_mb()
    for name, data in files():
        started = time.process_time()
        said = [_said(read, data) for read in (codecs.decode, codecs.decode_frames)]
        seconds = time.process_time() - started
        print(json.dumps([name, len(data), said, seconds, _peak_mb() - base]))


def files() -> Iterator[tuple[str, bytes]]:
    """Each file's name and bytes."""
    yield from _png_files()
    yield from _gif_files()
    yield from _webp_files()
    yield from _tiff_files()
    yield from _jpeg_files()
    yield from _avif_files()
    yield from _heic_files()
    yield from _bmp_files()
    yield from _tga_files()
    yield from _pnm_files()
    yield from _jp2_files()


def _said(read: object, data: bytes) -> str:
    try:
        assert callable(read)
        read(data, MAX_PIXELS)
    except UpconvError as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def _peak_mb() -> float:
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _zeros(megabytes: int) -> bytes:
    """A zlib stream a thousandth as long as what it unfolds to."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _idat(width: int, height: int) -> bytes:
    return _chunk(b"IDAT", zlib.compress(bytes((3 * width + 1) * height)))


def _png(width: int, height: int, body: bytes, kind: int = 2, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + body + _chunk(b"IEND", b"")


def _png_files() -> Iterator[tuple[str, bytes]]:
    small, bomb = _idat(10, 10), _zeros(256)
    yield "png of 30000x30000", _png(30000, 30000, _chunk(b"IDAT", bomb))
    yield "png of 2147483647x2147483647", _png(2**31 - 1, 2**31 - 1, small)
    yield "png of 4294967295x1", _png(2**32 - 1, 1, small)
    yield "png of 0x10", _png(0, 10, small)
    yield "png of 10x0", _png(10, 0, small)
    yield "png that promises more pixels than it has", _png(1000, 1000, small)
    yield "png that promises more, interlaced", _png(1000, 1000, small, interlaced=1)
    yield "png without its palette", _png(10, 10, small, kind=3)
    yield "png whose chunk promises 2 GB", _png(10, 10, struct.pack(">I", 2**31 - 1) + b"IDAT")[:-12]
    yield "png whose checksum is wrong", _png(10, 10, small[:-1] + b"\0")
    yield "png with too much data", _png(10, 10, _chunk(b"IDAT", bomb))
    yield "png with a profile that unfolds to 256 MB", _png(10, 10, _chunk(b"iCCP", b"a\0\0" + bomb) + small)
    yield "png with a text that unfolds to 256 MB", _png(10, 10, _chunk(b"zTXt", b"a\0\0" + bomb) + small)
    yield "png with 100000 texts", _png(10, 10, _chunk(b"tEXt", b"a\0b") * 100_000 + small)


def _gif(width: int, height: int, frames: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6) + frames + b";"


def _gif_frame(width: int, height: int, data: bytes = b"\x02\x02\x44\x01\0") -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + data


def _gif_files() -> Iterator[tuple[str, bytes]]:
    yield "gif of 65535x65535", _gif(65535, 65535, _gif_frame(1, 1))
    yield "gif of 0x0", _gif(0, 0, _gif_frame(0, 0))
    yield "gif with a frame larger than itself", _gif(1, 1, _gif_frame(65535, 65535))
    yield "gif without a frame", _gif(10, 10, b"")
    yield "gif of 20000 frames", _gif(5, 5, _gif_frame(5, 5) * FRAMES)
    yield "gif of 1000 frames of 1000x1000", _gif(1000, 1000, _gif_frame(1, 1) * 1000)
    yield "gif whose data breaks off", _gif(500, 500, _gif_frame(500, 500, b"\x08\xff"))


def _riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def _three(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(3, "little") for number in numbers)


def _webp_files() -> Iterator[tuple[str, bytes]]:
    buffer = io.BytesIO()
    Image.new("RGB", (10, 10)).save(buffer, "WEBP", lossless=True)
    still = buffer.getvalue()[12:]
    frame = (b"ANMF", _three(0, 0, 9, 9, 100) + b"\0" + still)
    outside = (b"ANMF", _three(500_000, 0, 9, 9, 100) + b"\0" + still)

    def moving(side: int, *frames: tuple[bytes, bytes]) -> bytes:
        return _riff((b"VP8X", b"\x02\0\0\0" + _three(side - 1, side - 1)), (b"ANIM", bytes(6)), *frames)

    yield "webp of 16777216x16777216", _riff((b"VP8X", bytes(4) + b"\xff" * 6)) + still
    yield "webp of 16383x16383", _riff((b"VP8 ", b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383) + bytes(50)))
    yield "webp lossless without data", _riff((b"VP8L", b"\x2f" + (999 | 999 << 14).to_bytes(4, "little") + bytes(20)))
    yield "webp of 20000 frames", moving(10, *[frame] * FRAMES)
    yield "webp of 1000 frames of 1000x1000", moving(1000, *[frame] * 1000)
    yield "webp with a frame outside itself", moving(20, outside)
    yield "webp without a frame", moving(20)


def _tiff(width: int, height: int, changed: dict[int, tuple[int, int]], data: bytes = bytes(100)) -> bytes:
    """`changed`: type and value of tags; a type of 0 leaves one out."""
    tags = {256: (4, width), 257: (4, height), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (4, 200), 277: (3, 1)}
    tags |= {278: (4, height), 279: (4, len(data))} | changed
    return b"II*\0\x08\0\0\0" + _directory(tags, 0).ljust(192, b"\0") + data


def _directory(tags: dict[int, tuple[int, int]], following: int) -> bytes:
    entries = [struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()) if kind]
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", following)


def _directories(count: int) -> bytes:
    tags = {256: (4, 1), 257: (4, 1), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (4, 0), 277: (3, 1), 278: (4, 1), 279: (4, 1)}
    length = len(_directory(tags, 0))
    chain = (_directory(tags, 8 + (n + 1) * length if n + 1 < count else 0) for n in range(count))
    return b"II*\0\x08\0\0\0" + b"".join(chain)


def _tiff_files() -> Iterator[tuple[str, bytes]]:
    tiled = {273: (0, 0), 278: (0, 0), 279: (0, 0), 324: (4, 200), 325: (4, 100)}
    jpeg = bytearray(_jpeg())
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 65500, 65500)
    yield "tiff of 60000x60000", _tiff(60000, 60000, {})
    yield "tiff of 4294967295x4294967295", _tiff(2**32 - 1, 2**32 - 1, {})
    yield "tiff of 0x0", _tiff(0, 0, {})
    yield "tiff without its data", _tiff(1000, 1000, {})
    yield "tiff with a tile of 65536x65536", _tiff(10, 10, tiled | {322: (4, 65536), 323: (4, 65536)})
    yield "tiff with a tile of 0x0", _tiff(10, 10, tiled | {322: (4, 0), 323: (4, 0)})
    yield "tiff of 1000 channels", _tiff(1000, 1000, {277: (3, 1000)})
    yield "tiff of 64-bit samples", _tiff(10, 10, {258: (3, 64)})
    yield "tiff with a strip that unfolds to 256 MB", _tiff(10, 10, {259: (3, 8)}, _zeros(256))
    yield "tiff with a profile of 1 GB", _tiff(10, 10, {34675: (7, 1 << 30)})
    yield "tiff with a picture in it that is larger", _tiff(64, 64, {259: (3, 7), 262: (3, 6), 277: (3, 3)}, bytes(jpeg))
    yield "tiff of an unknown compression", _tiff(10, 10, {259: (3, 999)})
    yield "tiff of 20000 pages", _directories(FRAMES)
    yield "tiff whose pages go in a circle", _directories(3)[:-4] + struct.pack("<I", 8)
    yield "tiff that is a camera's", _tiff(10, 10, {254: (4, 1), 330: (4, 8)})


def _jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(buffer, "JPEG")
    return buffer.getvalue()


def _jpeg_files() -> Iterator[tuple[str, bytes]]:
    plain = _jpeg()
    place = plain.index(b"\xff\xc0") + 5

    def sized(height: int, width: int) -> bytes:
        return plain[:place] + struct.pack(">HH", height, width) + plain[place + 4 :]

    buffer = io.BytesIO()
    Image.new("RGB", (900, 900), (200, 10, 10)).save(buffer, "JPEG", progressive=True)
    progressive = buffer.getvalue()
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    block = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(60_000)
    profile = b"".join(b"\xff\xe2\xff\xffICC_PROFILE\0" + bytes([n, 255]) + bytes(65_519) for n in range(1, 256))
    yield "jpeg of 65500x65500", sized(65500, 65500)
    yield "jpeg of 0x64", sized(0, 64)
    yield "jpeg that promises more pixels than it has", sized(1000, 1000)
    yield "jpeg of 5000 scans", progressive[:-2] + scan * 5000 + b"\xff\xd9"
    yield "jpeg with 65535 EXIF entries", plain[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + plain[2:]
    yield "jpeg with a profile of 16 MB", plain[:2] + profile + plain[2:]
    yield "jpeg that is two letters long", plain[:3]


def _box(kind: bytes, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", version << 24), *parts)


def _avif(side: tuple[int, int], grid: tuple[int, int] | None = None, depth: int = 1) -> bytes:
    """A picture of 64x64 that says it is of `side`; or a grid of many of it; or a chain of `depth` pictures each made of the last."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 10, 10)).save(buffer, "AVIF")
    plain = buffer.getvalue()
    coded = plain[plain.rindex(b"mdat") + 4 :]
    config = plain[plain.index(b"av1C") - 4 :][: int.from_bytes(plain[plain.index(b"av1C") - 4 :][:4], "big")]
    rows, columns = grid or (1, 1)
    recipe = struct.pack(">BBBBII", 0, 1, rows - 1, columns - 1, *side)
    items = [(1, b"av01", coded)] + [(n, b"grid", recipe) for n in range(2, depth + 1 + (grid is not None))]
    sizes = [_full(b"ispe", 0, struct.pack(">II", *shape)) for shape in ((64, 64), side)]
    properties = _box(b"ipco", config, *sizes, _full(b"pixi", 0, b"\3\x08\x08\x08"))
    used = [struct.pack(">HBBBB", n, 3, 1, 3 if len(items) == 1 or n > 1 else 2, 4) for n, _, _ in items]
    made_of = [
        _box(b"dimg", struct.pack(">HH", n, rows * columns), struct.pack(">H", n - 1) * (rows * columns))
        for n, _, _ in items[1:]
    ]

    def meta(start: int) -> bytes:
        places = b""
        for number, _, data in items:
            places += struct.pack(">HHHHII", number, 0, 0, 1, start, len(data))
            start += len(data)
        names = [_full(b"infe", 2, struct.pack(">HH", n, 0), kind, b"\0") for n, kind, _ in items]
        return _full(
            b"meta",
            0,
            _full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            _full(b"pitm", 0, struct.pack(">H", items[-1][0])),
            _full(b"iloc", 1, b"\x44\0", struct.pack(">H", len(items)), places),
            _full(b"iinf", 0, struct.pack(">H", len(items)), *names),
            _box(b"iprp", properties, _full(b"ipma", 0, struct.pack(">I", len(items)), *used)),
            _full(b"iref", 0, *made_of) if made_of else b"",
        )

    head = _box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    return head + meta(len(head) + len(meta(0)) + 8) + _box(b"mdat", *[data for _, _, data in items])


def _avif_files() -> Iterator[tuple[str, bytes]]:
    yield "avif of 65535x65535", _avif((65535, 65535))
    yield "avif of 0x0", _avif((0, 0))
    yield "avif that is larger than it says", _avif((8, 8))
    yield "avif that is smaller than it says", _avif((999, 999))
    yield "avif of 65025 pictures", _avif((16320, 16320), (255, 255))
    yield "avif nested 90 deep", _avif((64, 64), (1, 1), 90)
    yield (
        "avif with boxes in boxes",
        _box(b"ftyp", b"avis", bytes(4), b"avis")
        + b"".join(struct.pack(">I", 8 * (10_000 - n)) + b"moov" for n in range(10_000)),
    )
    yield "avif whose box promises 2 GB", _avif((64, 64))[:28] + struct.pack(">I", 2**31) + _avif((64, 64))[32:]


def _heic() -> bytes:
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.effect_noise((64, 64), 40).convert("RGB")).save(buffer)
    return buffer.getvalue()


def _heic_files() -> Iterator[tuple[str, bytes]]:
    plain = _heic()
    place = plain.index(b"ispe") + 8

    def sized(width: int, height: int) -> bytes:
        return plain[:place] + struct.pack(">II", width, height) + plain[place + 8 :]

    yield "heic of 65535x65535", sized(65535, 65535)
    yield "heic of 0x64", sized(0, 64)
    yield "heic that is larger than it says", sized(8, 8)
    yield "heic that breaks off", plain[: len(plain) // 2]
    yield "heic without a box", plain[:28]
    yield "heic whose data are zeros", plain[:-200] + bytes(200)
    yield "heic with boxes in boxes", plain[:28] + b"".join(struct.pack(">I", 8 * (9_999 - n)) + b"meta" for n in range(9_999))


def _bmp(width: int, height: int, bits: int, compression: int, data: bytes, header: int = 40) -> bytes:
    head = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 0, 0, 0, 0)
    palette = bytes(1024) if bits == 8 else b""
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + palette + data


def _bmp_files() -> Iterator[tuple[str, bytes]]:
    yield "bmp of 30000x30000", _bmp(30000, 30000, 24, 0, bytes(100))
    yield "bmp of 2147483647x2147483647", _bmp(2**31 - 1, 2**31 - 1, 8, 1, bytes(100))
    yield "bmp of 0x10", _bmp(0, 10, 24, 0, bytes(100))
    yield "bmp that promises more pixels than it has", _bmp(900, 900, 24, 0, bytes(100))
    yield "bmp that unfolds to less than it says", _bmp(900, 900, 8, 1, b"\xff\1" * 50)
    yield "bmp of an unknown compression", _bmp(10, 10, 24, 77, bytes(400))
    yield "bmp of 7 bits", _bmp(10, 10, 7, 0, bytes(400))
    yield "bmp whose header is longer than the file", _bmp(10, 10, 24, 0, b"", 124)


def _tga(width: int, height: int, kind: int, data: bytes, bits: int = 24, colors: int = 0) -> bytes:
    palette = (kind & 7 == 1, 0, colors, 24 if kind & 7 == 1 else 0)
    return struct.pack("<BBBHHBHHHHBB", 0, palette[0], kind, *palette[1:], 0, 0, width, height, bits, 0) + data


def _tga_files() -> Iterator[tuple[str, bytes]]:
    yield "tga of 65535x65535", _tga(65535, 65535, 2, bytes(100))
    yield "tga of 0x10", _tga(0, 10, 2, bytes(100))
    yield "tga that promises more pixels than it has", _tga(900, 900, 2, bytes(100))
    yield "tga that unfolds to less than it says", _tga(900, 900, 10, b"\xff\1\2\3" * 9)
    yield "tga whose run goes beyond its end", _tga(3, 3, 10, b"\xff\1\2\3" * 9)
    yield "tga of 65535 colours that it lacks", _tga(10, 10, 1, bytes(100), 8, 65535)
    yield "tga without pixels", _tga(10, 10, 2, b"")


def _pnm_files() -> Iterator[tuple[str, bytes]]:
    yield "pnm of 30000x30000", b"P6 30000 30000 255\n" + bytes(100)
    yield "pnm of 9999999999x9999999999", b"P5 9999999999 9999999999 255\n" + bytes(100)
    yield "pnm of 0x10", b"P5 0 10 255\n" + bytes(100)
    yield "pnm that promises more pixels than it has", b"P6 900 900 65535\n" + bytes(100)
    yield "pnm whose numbers are words", b"P2 3 3 255\none two three four five six seven eight nine\n"
    yield "pnm with a number of a million digits", b"P3 9 9 255\n" + b"9" * 1_000_000
    yield "pnm of a largest value of 0", b"P5 9 9 0\n" + bytes(100)
    yield "pnm of a comment without an end", b"P5 #" + b"a" * 1_000_000


def _jp2_files() -> Iterator[tuple[str, bytes]]:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 40).save(buffer, "JPEG2000", no_jp2=True)
    plain = buffer.getvalue()

    def sized(width: int, height: int, tile: int = 64) -> bytes:
        return plain[:8] + struct.pack(">IIIIII", width, height, 0, 0, tile, tile) + plain[32:]

    yield "jp2 of 4294967295x4294967295", sized(2**32 - 1, 2**32 - 1)
    yield "jp2 of 30000x30000", sized(30000, 30000)
    yield "jp2 of 0x64", sized(0, 64)
    yield "jp2 of 1000000 tiles of a pixel", sized(1000, 1000, 1)
    yield "jp2 that breaks off", plain[: len(plain) // 2]
    yield "jp2 of 16384 channels", plain[:40] + struct.pack(">H", 16384) + plain[42:]
    yield "jp2 without a codestream", b"\0\0\0\x0cjP  \r\n\x87\n" + _box(b"ftyp", b"jp2 ", bytes(4), b"jp2 ")
    yield "jp2 whose data are zeros", plain[:150] + bytes(len(plain) - 150)


if __name__ == "__main__":
    main()
