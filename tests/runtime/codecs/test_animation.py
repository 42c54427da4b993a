from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.errors import ImageError, ImageTooLargeError, ParameterError
from upconv.runtime.picture import Metadata, Picture
from upconv.runtime.resampling import resize

COLOURS = [(200, 30, 40), (30, 200, 40), (30, 40, 200), (90, 90, 90)]


def animated(format: str, colours: list[tuple[int, int, int]] = COLOURS) -> bytes:
    first, *rest = [Image.new("RGB", (24, 16), colour) for colour in colours]
    buffer = io.BytesIO()
    options = {"lossless": True} if format == "WEBP" else {}
    first.save(buffer, format, save_all=True, append_images=rest, duration=[50, 60, 70, 80][: len(colours)], loop=3, **options)
    return buffer.getvalue()


def frames_in(data: bytes) -> list[tuple[tuple[int, ...], int]]:
    image = Image.open(io.BytesIO(data))
    found = []
    for n in range(getattr(image, "n_frames", 1)):
        image.seek(n)
        image.load()
        found.append((np.asarray(image.convert("RGB"))[8, 12].tolist(), image.info["duration"]))
    return [(tuple(colour), duration) for colour, duration in found]


def doubled(picture: Picture) -> Picture:
    return picture.with_samples(resize(picture.samples, 2 * picture.width, 2 * picture.height))


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
@pytest.mark.parametrize("format", codecs.ANIMATED)
def test_every_frame_comes_back_with_its_time(source: str, format: str) -> None:
    animation = codecs.decode_frames(animated(source))
    assert (len(animation.frames), animation.delays_ms) == (4, (50, 60, 70, 80))
    data, noted = codecs.encode_frames(animation.map(doubled), format, lossless=format == "webp")
    assert codecs.sniff(data) == format
    assert Image.open(io.BytesIO(data)).size == (48, 32)
    for (colour, duration), expected, delay in zip(frames_in(data), COLOURS, (50, 60, 70, 80), strict=True):
        assert np.abs(np.subtract(colour, expected)).max() <= 4
        assert duration == delay
    assert noted.strip.conversions == ()
    assert codecs.decode_frames(data).loops == animation.loops


def test_the_first_frame_is_what_decode_takes() -> None:
    for source in ("GIF", "WEBP"):
        picture = codecs.decode(animated(source))
        assert (picture.width, picture.height) == (24, 16)
        assert np.abs(picture.samples[0, 0, :3].astype(int) - COLOURS[0]).max() <= 4
        assert picture.conversions == ("the first of 4 frames taken",)


def test_other_formats_are_one_frame(pillow: Callable[..., bytes]) -> None:
    animation = codecs.decode_frames(pillow(np.zeros((4, 5, 3), np.uint8), "PNG"))
    assert len(animation.frames) == 1


def test_a_lossless_animation_that_is_written_with_loss_says_so() -> None:
    said = "lossless WebP written with loss; ask for lossless to keep every pixel"
    for source, lossless, notes in (("WEBP", False, (said,)), ("WEBP", True, ()), ("GIF", False, ())):
        animation = codecs.decode_frames(animated(source))
        assert codecs.encode_frames(animation, "webp", lossless=lossless)[1].strip.conversions == notes


@pytest.mark.parametrize("format", codecs.ANIMATED)
def test_exif_of_an_animation_states_the_size_of_a_frame(format: str) -> None:
    exif = Image.Exif()
    exif[0x4746], exif[0x8769] = 5, {0xA002: 24, 0xA003: 16}
    frames = [Image.new("RGB", (24, 16), colour) for colour in COLOURS]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], exif=exif)
    data, noted = codecs.encode_frames(codecs.decode_frames(buffer.getvalue()).map(doubled), format, lossless=format == "webp")
    found = Image.open(io.BytesIO(data)).getexif()
    if format == "webp":
        assert (found[0x4746], found.get_ifd(0x8769)) == (5, {0xA002: 48, 0xA003: 32})
    assert noted.strip.conversions == (() if format == "webp" else ("EXIF dropped, which gif cannot hold",))
    assert len(frames_in(data)) == len(COLOURS)


def test_transparency_of_gif_is_kept() -> None:
    frames = [Image.new("RGBA", (20, 20), (0, 0, 0, 0)) for _ in range(2)]
    for n, frame in enumerate(frames):
        frame.paste((250, 0, 0, 255), (n * 4, 0, n * 4 + 8, 20))
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], disposal=2, duration=100)
    animation = codecs.decode_frames(buffer.getvalue())
    data, _ = codecs.encode_frames(animation.map(doubled), "gif")
    back = codecs.decode_frames(data)
    assert [int(frame.samples[20, 36, 3]) for frame in back.frames] == [0, 0]
    assert [int(frame.samples[20, 10, 3]) for frame in back.frames] == [255, 255]


def test_a_wide_gamut_becomes_srgb_in_gif(p3: bytes) -> None:
    frames = tuple(Picture(np.full((8, 8, 3), colour, np.uint8), metadata=Metadata(icc=p3)) for colour in COLOURS[:2])
    data, noted = codecs.encode_frames(codecs.Animation.of(frames, (100, 100)), "gif")
    assert noted.strip.conversions == ("colours converted to sRGB, because gif cannot hold a profile",)
    expected = codecs.to_srgb(frames[1]).samples[0, 0]
    assert np.abs(codecs.decode_frames(data).frames[1].samples[4, 4, :3].astype(int) - expected).max() <= 8


def test_all_frames_together_count_as_pixels() -> None:
    with pytest.raises(ImageTooLargeError, match="24x64 pixels"):
        codecs.decode_frames(animated("GIF"), max_pixels=24 * 63)
    assert codecs.decode(animated("GIF"), max_pixels=24 * 16).width == 24


@pytest.mark.parametrize("source", ["GIF", "WEBP"])
def test_a_cut_animation_is_refused(source: str) -> None:
    data = animated(source)
    with pytest.raises(ImageError, match="damaged or incomplete"):
        codecs.decode_frames(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("format", "lossless", "words"), [("png", False, "expected one of webp, gif"), ("gif", True, "lossless")]
)
def test_what_cannot_be_written_is_refused(format: str, lossless: bool, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        codecs.encode_frames(codecs.decode_frames(animated("GIF")), format, lossless=lossless)


def test_an_animated_png_gives_its_first_frame_and_says_so() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "PNG", save_all=True, append_images=[Image.new("RGB", (9, 9), (255, 0, 0))])
    assert codecs.decode(buffer.getvalue()).conversions == ("the first frame of an animated PNG taken",)
