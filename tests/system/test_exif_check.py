"""The comparison of tags before and after an upscale, `scripts/exif_check`. It needs ExifTool."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scripts import exif_check

from upconv.models import bundled
from upconv.runtime import Upscaler


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A JPEG file with tags that an upscale keeps, and some that it changes."""
    exif = Image.Exif()
    exif.update({0x010F: "Camera", 0x4746: 5, 0x013C: "host", 0x0112: 6, 0x011A: 72.0, 0x011B: 72.0, 0x0128: 2})
    exif.get_ifd(0x8769)[0x927C] = b"maker's own \0\1\2"
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30), (200, 30, 40)).save(path, exif=exif, comment="a comment")
    return path


def test_nothing_is_lost(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exif_check.main([photo.parent]) == 0
    assert capsys.readouterr().out == "1 equal\n"


def test_a_lost_and_a_changed_tag_are_found(photo: Path) -> None:
    before = exif_check.tags(photo)
    after = {name: value for name, value in before.items() if not name.endswith(":Make")}
    (rating,) = (name for name in before if name.endswith(":Rating"))
    after[rating] = 4
    assert sorted(exif_check.differences(before, after, ())) == [
        "EXIF:IFD0:Make is lost ('Camera')",
        "EXIF:IFD0:Rating is '4' instead of '5'",
    ]
    assert list(exif_check.differences(before, after, ("EXIF dropped, which gif cannot hold",))) == []


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("EXIF:IFD0:Make", True),
        ("MakerNotes:Canon:SerialNumber", True),
        ("XMP:XMP-dc:Title", True),
        ("EXIF:IFD0:Orientation", False),
        ("EXIF:IFD0:XResolution", False),
        ("EXIF:IFD1:ThumbnailImage", False),
        ("File:System:FileName", False),
        ("JFIF:JFIF:JFIFVersion", False),
    ],
)
def test_tags_that_count(name: str, counts: bool) -> None:
    assert exif_check.counts_as_tag(name) is counts


def test_a_refused_file(photo: Path, tmp_path: Path) -> None:
    data = photo.read_bytes()[:-300]
    with Upscaler(bundled("nearest-x2")) as upscaler:
        kind, lines = exif_check.judge(data, photo, upscaler, tmp_path)
    assert kind == "refused"
    assert lines[0].startswith("refused: the jpeg data is damaged")


def test_a_file_without_such_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buffer: Any = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=Image.Exif().tobytes() or b"Exif\0\0")
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    (tmp_path / "b.png").write_bytes(b"no picture")
    assert exif_check.main([tmp_path]) == 0
    assert "1 without tags" in capsys.readouterr().out
