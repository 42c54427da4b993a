"""The quality that quantisation tables show."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from upconv.runtime import codecs
from upconv.runtime.codecs.jpeg_quality import estimated_quality


def jpeg(quality: int, **options: bool) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [1, 10, 30, 49, 50, 60, 75, 90, 95, 96, 97, 98, 99])
def test_the_quality_that_a_file_was_written_with_is_found(quality: int) -> None:
    assert estimated_quality(jpeg(quality)) == pytest.approx(quality, abs=1 if quality < 20 else 0)
    assert estimated_quality(jpeg(quality, progressive=True)) == estimated_quality(jpeg(quality))


def test_a_table_of_16_bits_is_read() -> None:
    table = bytes([0x10]) + b"".join(int(step).to_bytes(2, "big") for step in [16] * 64)
    file = b"\xff\xd8\xff\xdb" + (len(table) + 2).to_bytes(2, "big") + table + b"\xff\xda\0\0"
    assert estimated_quality(file) == 86


@pytest.mark.parametrize("body", [b"", b"\0", bytes(64), bytes([1]) + bytes(64), bytes([0x10]) + bytes(64)])
def test_a_table_that_is_missing_or_cut_off_has_no_quality(body: bytes) -> None:
    file = b"\xff\xd8\xff\xdb" + (len(body) + 2).to_bytes(2, "big") + body + b"\xff\xda\0\0"
    assert estimated_quality(file) is None


def test_a_decoded_jpeg_states_its_quality_and_other_pictures_none() -> None:
    assert codecs.decode(jpeg(75)).metadata.jpeg_quality == 75
    assert codecs.decode(codecs.encode(codecs.decode(jpeg(75)), "png")[0]).metadata.jpeg_quality is None
