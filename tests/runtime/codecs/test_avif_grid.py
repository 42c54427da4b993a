from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs import avif_grid, encoder_process
from upconv.runtime.codecs.avif_grid import TILE_PX, Grid, joined
from upconv.runtime.errors import ImageError
from upconv.runtime.picture import ColorCodes, Metadata, Picture

Photograph = Callable[[int, int], np.ndarray]


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pictures of more than 16384 pixels become a grid of tiles of up to 128 pixels."""
    monkeypatch.setattr(encoder_process, "APART_PX", 1 << 14)
    monkeypatch.setattr(avif_grid, "WHOLE_PX", 1 << 14)
    monkeypatch.setattr(avif_grid, "TILE_PX", 128)


@pytest.mark.parametrize(
    ("size", "tile", "tiles"),
    [
        ((6000, 4000), (512, 512), (12, 8)),
        ((1025, 1024), (384, 512), (3, 2)),
        ((16384, 300), (512, 320), (32, 1)),
        ((1, 1), (64, 64), (1, 1)),
    ],
)
def test_tiles_are_equal_and_cover_the_picture(size: tuple[int, int], tile: tuple[int, int], tiles: tuple[int, int]) -> None:
    grid = Grid.of(*size)
    assert (grid.tile_width, grid.tile_height) == tile
    assert (grid.columns, grid.rows) == tiles
    assert max(tile) <= TILE_PX
    assert all(count * side >= whole > (count - 1) * side for count, side, whole in zip(tiles, tile, size, strict=True))


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_grid_holds_the_picture(photograph: Photograph, channels: int, depth: Any) -> None:
    samples: Any = photograph(200, 300)
    if channels == 4:
        samples = np.concatenate([samples, samples[::-1, :, :1]], axis=2)
    source = Picture(samples.astype(depth) * (257 if depth == np.uint16 else 1))
    data, _ = codecs.encode(replace(source, metadata=Metadata(bits=10 if depth == np.uint16 else None)), "avif", lossless=True)
    assert b"grid" in data
    read = codecs.decode(data)
    error = np.abs(read.samples.astype(int) - source.samples.astype(int)).max()
    assert error <= (0 if depth == np.uint8 else 130)
    assert codecs.read_size(data) == (300, 200)
    assert data.count(b"infe\2\0\0\1") == 6 * (channels - 2), "the tiles are hidden, those of the opacity too"
    with Image.open(io.BytesIO(data)) as other:  # libavif, which checks more than libheif
        assert np.abs(np.asarray(other.convert("RGBA")).astype(int)[..., :3] - samples[..., :3]).max() <= 1


@pytest.mark.usefixtures("small_tiles")
def test_a_grid_has_the_metadata_once(photograph: Photograph, p3: bytes) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    fields = (("exif-data", 0, exif.tobytes()), ("xmp-data", 0, b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"))
    jpeg = io.BytesIO()
    Image.fromarray(photograph(200, 300)).save(jpeg, "JPEG", exif=exif, icc_profile=p3, xmp=fields[1][2])
    source = codecs.decode(jpeg.getvalue())
    data, written = codecs.encode(source, "avif")
    assert written.conversions == ()
    read = codecs.decode(data)
    assert read.metadata.icc == p3
    assert [field for field, _, _ in read.metadata.fields] == ["exif-data", "xmp-data"]
    assert b"Camera" in read.metadata.fields[0][2]
    assert data.count(p3) == 1
    assert Image.open(io.BytesIO(data)).getexif()[0x010F] == "Camera"


@pytest.mark.usefixtures("small_tiles")
def test_a_grid_states_its_colour_space(photograph: Photograph) -> None:
    codes = ColorCodes(9, 16)
    data, _ = codecs.encode(Picture(photograph(200, 300), metadata=Metadata(codes=codes)), "avif")
    assert codecs.decode(data).metadata.codes == codes


def test_a_picture_at_the_limit_is_whole(photograph: Photograph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_process, "APART_PX", 1 << 10)
    monkeypatch.setattr(avif_grid, "WHOLE_PX", 128 * 128)
    assert b"grid" not in codecs.encode(Picture(photograph(128, 128)), "avif")[0]
    assert b"grid" in codecs.encode(Picture(photograph(128, 129)), "avif")[0]


def test_other_files_are_refused(pillow: Callable[..., bytes]) -> None:
    plain = pillow(Image.new("RGB", (64, 64)), "AVIF")
    with pytest.raises(ImageError, match="the encoder made boxes of another kind; choose png"):
        joined([plain[:40]], Grid.of(64, 64))
    translucent = pillow(Image.new("RGBA", (64, 64), (1, 2, 3, 4)), "AVIF")
    with pytest.raises(ImageError, match="boxes of another kind"):
        joined([plain, translucent], Grid.of(128, 64))
