from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.avif_boxes import AvifTraits, as_stated, traits_of, unkept, upright_size, with_known_matrix

Pillow = Callable[..., bytes]
RAMP = np.tile(np.arange(256, dtype=np.uint8), (32, 1))


def avif(mode: str, range: str, pillow: Pillow) -> bytes:
    channels = [Image.fromarray(RAMP)] * len(mode)
    image = channels[0] if mode == "L" else Image.merge(mode, channels)
    return pillow(image, "AVIF", quality=100, range=range, subsampling="4:0:0" if mode[0] == "L" else "4:4:4")


@pytest.mark.parametrize(
    ("turn", "size"), [(None, (96, 64)), (b"\0", (96, 64)), (b"\1", (64, 96)), (b"\2", (96, 64)), (b"\3", (64, 96))]
)
@pytest.mark.parametrize("crop", [None, (60, 50)])
def test_the_size_is_that_of_the_cropped_and_turned_picture(
    turn: bytes | None, size: tuple[int, int], crop: tuple[int, int] | None
) -> None:
    ispe = _box(b"ispe", bytes(4) + struct.pack(">II", 96, 64))
    clap = [] if crop is None else [_box(b"clap", struct.pack(">IIIIiIiI", crop[0], 1, crop[1], 1, 0, 1, 0, 1))]
    irot = [] if turn is None else [_box(b"irot", turn)]
    other = _box(b"ispe", bytes(4) + struct.pack(">II", 7, 7))
    listed = [other, ispe, *clap, *irot]
    own = bytes(range(2, len(listed) + 1))
    ipma = _box(b"ipma", bytes(4) + struct.pack(">IHB", 1, 5, len(own)) + own)
    pitm = _box(b"pitm", bytes(4) + struct.pack(">H", 5))
    meta = _box(b"meta", bytes(4) + pitm + _box(b"iprp", _box(b"ipco", b"".join(listed)) + ipma))
    expected = size if crop is None else (crop if size[0] > size[1] else crop[::-1])
    assert upright_size(meta) == expected


@pytest.mark.parametrize(("kind", "said"), [(b"clli", True), (b"mdcv", True), (b"pixi", False)])
def test_data_of_hdr_that_is_lost_is_said(kind: bytes, said: bool) -> None:
    ipma = _box(b"ipma", bytes(4) + struct.pack(">IHBB", 1, 5, 1, 1))
    pitm = _box(b"pitm", bytes(4) + struct.pack(">H", 5))
    meta = _box(b"meta", bytes(4) + pitm + _box(b"iprp", _box(b"ipco", _box(kind, bytes(4))) + ipma))
    assert unkept(meta) == (("HDR data dropped, which is not read from avif and heic",) if said else ())


def test_an_unspecified_matrix_is_that_of_bt601(pillow: Pillow) -> None:
    data = pillow(Image.new("RGB", (64, 64), (200, 30, 40)), "AVIF", quality=100)
    place = data.index(b"colrnclx") + 12
    assert data[place : place + 2] == b"\0\6", "libavif writes BT.601"
    unspecified = data[:place] + b"\0\2" + data[place + 2 :]
    assert with_known_matrix(data) == with_known_matrix(unspecified) == data
    assert np.abs(codecs.decode(unspecified).samples.astype(int) - (200, 30, 40)).max() <= 2
    assert with_known_matrix(b"no boxes") == b"no boxes"


def test_a_file_without_a_size_has_none() -> None:
    assert upright_size(b"") is None
    assert upright_size(_box(b"meta", bytes(4) + _box(b"iprp", _box(b"ipco", b"")))) is None


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("range", ["limited", "full"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_black_is_0_and_white_is_255(mode: str, range: str, named: bool, pillow: Pillow) -> None:
    data = avif(mode, range, pillow)
    if not named:  # the range stands only in the AV1 data
        data = data.replace(b"colrnclx", b"freenclx")
    assert traits_of(data) == AvifTraits(limited_grey=mode[0] == "L" and range == "limited")
    samples = codecs.decode(data).samples
    assert samples.shape[2] == (4 if mode[-1] == "A" else 3)
    assert np.abs(samples.astype(int) - RAMP[..., None]).max() <= 2


def test_a_limited_range_of_16_bits(pillow: Pillow) -> None:
    image = pyvips.Image.new_from_array(np.array([[[16] * 3, [126] * 3, [235] * 3, [255] * 3]], np.uint16) * 256)
    image = image.copy(interpretation="rgb16")
    image.set_type(pyvips.GValue.gint_type, "bits-per-sample", 10)
    found = as_stated(image, avif("L", "limited", pillow)).numpy()[0, :, 0]
    assert np.abs(found.astype(int) - [0, 65535 * 110 / 219, 65535, 65535]).max() <= 1


@pytest.mark.parametrize("premultiplied", [False, True])
def test_colours_that_are_multiplied_by_the_opacity(
    premultiplied: bool, pillow: Pillow, photograph: Callable[[int, int], np.ndarray]
) -> None:
    pixels = np.dstack([photograph(32, 48), np.full((32, 48), 128, np.uint8)])
    data = pillow(Image.fromarray(pixels, "RGBA"), "AVIF", quality=100, subsampling="4:4:4", alpha_premultiplied=premultiplied)
    assert traits_of(data).premultiplied == premultiplied
    assert np.abs(codecs.decode(data).samples.astype(int) - pixels).mean() < 3


def test_boxes_that_make_no_sense_do_no_harm(pillow: Pillow) -> None:
    data = avif("L", "limited", pillow)
    random = np.random.default_rng(0)
    for _ in range(300):
        wrong = bytearray(data)
        for place in random.integers(0, 400, 4):
            wrong[place] = int(random.integers(0, 256))
        assert isinstance(traits_of(bytes(wrong)), AvifTraits)
    for length in range(0, len(data), 3):
        assert isinstance(traits_of(data[:length]), AvifTraits)
