from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled, ImageError, ImageTooLargeError, OutOfMemoryError
from upconv.runtime.picture import Picture
from upconv.runtime.resampling import to_image

Photograph = Callable[[int, int], np.ndarray]
Pillow = Callable[..., bytes]


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: b"just some text", "expected jpeg"),
        (lambda data: data[: len(data) // 2], "damaged or incomplete"),
        (lambda data: data[:20], "damaged or incomplete"),
        (lambda data: b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "expected jpeg"),
    ],
)
@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "tiff"])
def test_damaged_files_are_an_error_in_one_sentence(
    name: str, damage: Callable[[bytes], bytes], sentence: str, photograph: Photograph
) -> None:
    data, _ = codecs.encode(Picture(photograph(64, 64)), name)
    with pytest.raises(ImageError, match=sentence) as raised:
        codecs.decode(damage(data))
    assert "\n" not in str(raised.value)


def jpeg_with(change: Callable[[bytes], bytes], photograph: Photograph) -> bytes:
    return change(codecs.encode(Picture(photograph(64, 64)), "jpeg")[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"garbage behind its end",
        lambda data: data[:-2] + bytes(10) + data[-2:],
        lambda data: data.replace(b"\xff\xc0", bytes(3) + b"\xff\xc0", 1),
    ],
)
def test_bytes_that_do_no_harm_in_a_jpeg_are_passed_over(change: Callable[[bytes], bytes], photograph: Photograph) -> None:
    expected = codecs.decode(jpeg_with(lambda data: data, photograph)).samples
    np.testing.assert_array_equal(codecs.decode(jpeg_with(change, photograph)).samples, expected)


def test_a_jpeg_that_ends_early_is_refused_even_if_it_has_an_end(photograph: Photograph) -> None:
    with pytest.raises(ImageError, match="premature end"):
        codecs.decode(jpeg_with(lambda data: data[: len(data) // 2] + b"\xff\xd9", photograph))


def test_an_error_that_quotes_odd_bytes_does_not_stay(photograph: Photograph, pillow: Callable[..., bytes]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pillow(photograph(16, 16), "AVIF", exif=exif)
    for _ in range(2):
        with pytest.raises(ImageError, match="the name of one of its parts is invalid"):
            codecs.decode(data.replace(b"irot", b"\xdarot"))
    with pytest.raises(ImageError, match="its data breaks off"):
        codecs.decode(codecs.encode(Picture(photograph(16, 16)), "png")[0][:-20])


def test_the_bytes_decide_and_not_what_comes_after_them(photograph: Photograph) -> None:
    data, _ = codecs.encode(Picture(photograph(9, 9)), "png")
    assert codecs.decode(data + b"<svg/>" + bytes(100)).format == "png"


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_the_size_in_the_header(format: str, pillow: Pillow) -> None:
    data = pillow(np.zeros((12, 20, 3), np.uint8), format)
    assert codecs.read_size(data, 240) == (20, 12)
    with pytest.raises(ImageTooLargeError, match="20x12 pixels; at most 239"):
        codecs.read_size(data, 239)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_in_the_header_is_upright(orientation: int) -> None:
    image = pyvips.Image.black(20, 12, bands=3).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    data = image.jpegsave_buffer()
    picture = codecs.decode(data)
    assert codecs.read_size(data) == (picture.width, picture.height)


def test_a_header_that_breaks_off() -> None:
    with pytest.raises(ImageError, match="damaged or incomplete"):
        codecs.read_size(b"\x89PNG\r\n\x1a\n")


def decoded(data: bytes) -> np.ndarray | str:
    """Return the pixels, or the message of the error."""
    try:
        return codecs.decode(data, 1_000_000).samples
    except ImageError as error:
        return str(error)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_a_file_cut_anywhere_is_refused_or_whole(format: str, pillow: Pillow, photograph: Photograph) -> None:
    data = pillow(photograph(40, 50), format)
    whole = codecs.decode(data).samples
    results = [
        decoded(data[:cut]) for cut in (*range(0, len(data), max(1, len(data) // 60)), *range(len(data) - 16, len(data)))
    ]
    sentences = [result for result in results if isinstance(result, str)]
    assert len(sentences) >= 55
    assert not any("\n" in sentence for sentence in sentences)
    assert all(np.array_equal(result, whole) for result in results if isinstance(result, np.ndarray))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_wrong_bytes_anywhere_raise_nothing_else(format: str, pillow: Pillow, photograph: Photograph) -> None:
    data = pillow(photograph(24, 30), format)
    random = np.random.default_rng(0)
    for _ in range(150):
        wrong = bytearray(data)
        for place in random.integers(0, min(len(data), 400) if random.random() < 0.7 else len(data), 3):
            wrong[place] = int(random.integers(0, 256))
        said = decoded(bytes(wrong))
        assert isinstance(said, np.ndarray) or "\n" not in said


def test_a_large_limit_is_checked_before_decoding() -> None:
    buffer = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(buffer, "PNG")
    with pytest.raises(ImageTooLargeError, match="12000x12000"):
        codecs.decode(buffer.getvalue())


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises this size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("height", "kind", "words"), [(10_000, ImageError, "breaks off"), (10_001, ImageTooLargeError, "at most 100000000")]
)
def test_a_hundred_megapixels_are_decoded(height: int, kind: type[ImageError], words: str) -> None:
    with pytest.raises(ImageError, match=words) as raised:
        codecs.decode(png_header(10_000, height))
    assert type(raised.value) is kind


@pytest.mark.parametrize(("channels", "read"), [(16, True), (17, False)])
def test_sixteen_channels_are_the_most(channels: int, read: bool) -> None:
    data = pyvips.Image.black(4, 4, bands=channels).tiffsave_buffer()
    if read:
        assert "12 channels" in " ".join(codecs.decode(data).conversions)
    else:
        with pytest.raises(ImageError, match="17 channels; expected grey or RGB"):
            codecs.decode(data)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff"])
def test_nothing_is_decoded_after_a_cancellation(format: str, orientation: int, photograph: Photograph) -> None:
    image = to_image(photograph(40, 60)).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    suffix = ".avif[Q=50]" if format == "avif" else f".{format}"
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        codecs.decode(image.write_to_buffer(suffix), cancellation=cancellation)
    with pytest.raises(Cancelled):
        codecs.decode_frames(image.write_to_buffer(suffix), cancellation=cancellation)


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_no_frames_are_decoded_after_a_cancellation(format: str, photograph: Photograph) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        codecs.decode_frames(to_image(photograph(40, 60)).write_to_buffer(f".{format}"), cancellation=cancellation)


def test_a_machine_without_memory_is_no_damage(photograph: Photograph, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise pyvips.Error("unable to call", "vips_tracked: out of memory -- size == 45MB")

    data = codecs.encode(Picture(photograph(4, 4)), "png")[0]
    monkeypatch.setattr("upconv.runtime.codecs.decoding.to_samples", fail)
    with pytest.raises(OutOfMemoryError, match="the png data cannot be read: vips_tracked: out of memory"):
        codecs.decode(data)
