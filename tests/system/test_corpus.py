"""The comparison of pictures with a second decoder, `scripts/corpus`."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image
from scripts import corpus

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

Photograph = Callable[[int, int], np.ndarray]
DATA = Path(__file__).parents[1] / "data"


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "TGA", "PPM", "JPEG2000", "HEIF"])
def test_both_decoders_read_the_same(format: str, photograph: Photograph) -> None:
    image = Image.fromarray(photograph(64, 96))
    buffer = io.BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(buffer)
    else:
        image.save(buffer, format)
    kind, lines = corpus.judge(buffer.getvalue())
    assert (kind, lines) == ("equal", [])


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda samples: samples[:-1], "96x63 instead of 96x64"),
        (lambda samples: samples.transpose(1, 0, 2), "64x96 instead of 96x64"),
        (lambda samples: np.concatenate([samples, np.full((64, 96, 1), 200, np.uint8)], axis=2), "opacity differs by up to 55"),
        (lambda samples: samples[..., ::-1], "colours differ by up to"),
        (lambda samples: np.clip(samples.astype(int) + 4, 0, 255).astype(np.uint8), "colours differ by up to 4"),
    ],
)
def test_each_difference_is_found(change: Callable[[Any], Any], phrase: str, photograph: Photograph) -> None:
    samples: Any = np.clip(photograph(64, 96), 10, 240)
    lines = list(corpus.differences(Picture(np.ascontiguousarray(change(samples))), Image.fromarray(samples), profile=False))
    assert len(lines) >= 1
    assert lines[0].startswith(phrase)


def test_differences_of_rounding_and_lost_depth_and_profile(photograph: Photograph) -> None:
    samples: Any = np.clip(photograph(64, 96), 10, 240)
    near = Picture((samples + 2).astype(np.uint8))
    assert list(corpus.differences(near, Image.fromarray(samples), profile=False)) == []
    assert list(corpus.differences(near, Image.fromarray(samples), profile=True)) == ["has a profile, which is lost silently"]
    deep = Image.fromarray(samples[..., 0].astype(np.uint16) * 257)
    assert "has 16 bits instead of 8" in list(corpus.differences(Picture(samples[..., :1]), deep, profile=False))


def test_a_file_that_is_refused_or_that_pillow_does_not_read(photograph: Photograph) -> None:
    data = encoded(Image.fromarray(photograph(40, 40)), "JPEG")
    assert corpus.judge(data[:-200])[0] == "refused"
    assert corpus.judge(codecs.encode(Picture(photograph(8, 8)), "png")[0])[0] == "equal"


def test_the_counts_and_the_exit_code(
    tmp_path: Path, photograph: Photograph, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(photograph(20, 20)), "PNG"))
    (tmp_path / "b.jpg").write_bytes(encoded(Image.fromarray(photograph(40, 40)), "JPEG")[:-200])
    (tmp_path / "c.txt").write_text("no picture")
    assert corpus.main([tmp_path]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 equal, 0 different, 1 refused, 0 read by upconv alone"
    monkeypatch.setattr(corpus, "TOLERANCE", -1.0)
    assert corpus.main([tmp_path]) == 1
    assert "a.png: opacity differs by up to 0" in capsys.readouterr().out
