from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from upconv.cli.default_names import beside, check_inputs, listing_beside
from upconv.runtime.errors import ParameterError
from upconv.runtime.options import DEFAULTS, UpscaleOptions


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "a-x3.jpg"),
        ({"scale": 2}, "a-x2.jpg"),
        ({"scale": 1.5}, "a-x1.5.jpg"),
        ({"width": 640}, "a-w640.jpg"),
        ({"height": 480}, "a-h480.jpg"),
        ({"width": 640, "height": 480}, "a-640x480.jpg"),
        ({"width": 640, "height": 480, "fitting": "fit"}, "a-640x480.jpg"),
    ],
)
def test_the_size_is_in_the_name(options: dict[str, Any], name: str) -> None:
    assert beside(Path("folder/a.jpg"), UpscaleOptions(**options), 3, ".jpg") == Path("folder", name)


@pytest.mark.parametrize(
    ("name", "format", "frames", "expected"),
    [
        ("a.jpg", None, False, "a-x2.jpg"),
        ("a.JPEG", None, False, "a-x2.JPEG"),
        ("a.tif", "tiff", False, "a-x2.tif"),
        ("a.jpg", "webp", False, "a-x2.webp"),
        ("a.png", "jpeg", False, "a-x2.jpg"),
        ("a.gif", None, False, "a-x2.png"),
        ("a.gif", None, True, "a-x2.gif"),
        ("a.heic", None, False, "a-x2.jpg"),
        ("a.bmp", None, False, "a-x2.png"),
        ("a", None, False, "a-x2.png"),
    ],
)
def test_the_suffix_is_that_of_the_format(name: str, format: str | None, frames: bool, expected: str, tmp_path: Path) -> None:
    source = tmp_path / name
    source.touch()
    listing = listing_beside([source], 2, UpscaleOptions(frames=frames), format, overwrite=False)
    assert [(job.source, job.destination) for job in listing.jobs] == [(source, tmp_path / expected)]


def test_nothing_is_replaced_unless_asked_for(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "b-x2.png"):
        (tmp_path / name).touch()
    sources = [tmp_path / "a.png", tmp_path / "b.png"]
    with pytest.raises(ParameterError, match=r"b-x2\.png exists; choose another --output"):
        listing_beside(sources, 2, DEFAULTS, None, overwrite=False)
    assert listing_beside(sources, 2, DEFAULTS, None, overwrite=True).count == 2


def test_a_folder_needs_an_output_and_a_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="is a folder; give --output"):
        listing_beside([tmp_path], 2, DEFAULTS, None, overwrite=False)
    with pytest.raises(ParameterError, match="no such file"):
        check_inputs([tmp_path, tmp_path / "none.png"])
