from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import codecs
from upconv.runtime.folders.result_names import DirectoryReader, Naming, unique_names
from upconv.runtime.picture import Picture


@pytest.mark.parametrize(
    ("renamed", "expected"),
    [
        ({"a.gif": "a.png", "b.png": "b.png"}, {"a.gif": "a.png", "b.png": "b.png"}),
        ({"a.gif": "a.png", "a.png": "a.png"}, {"a.gif": "a.gif.png", "a.png": "a.png"}),
        ({"a.JPG": "a.JPG", "a.png": "a.jpg"}, {"a.JPG": "a.JPG", "a.png": "a.png.jpg"}),
        ({"A.gif": "A.png", "a.webp": "a.png"}, {"A.gif": "A.gif.png", "a.webp": "a.webp.png"}),
        (
            {"a.gif": "a.png", "a.gif.png": "a.gif.png", "a.png": "a.png"},
            {"a.gif": "a.gif.png.png", "a.gif.png": "a.gif.png", "a.png": "a.png"},
        ),
        ({"a": "a.jpg", "a.jpg": "a.jpg"}, {"a": "a.jpg.jpg", "a.jpg": "a.jpg"}),
    ],
)
def test_results_differ_also_where_case_does_not_count(renamed: dict[str, str], expected: dict[str, str]) -> None:
    results = unique_names(renamed.items())
    assert results == expected
    assert len({new.casefold() for new in results.values()}) == len(results)


def test_pictures_without_a_suffix_are_found_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "IMG_1").write_bytes(codecs.encode(Picture(np.zeros((2, 2, 3), np.uint8)), "jpeg")[0])
    (tmp_path / "notes").write_text("text")
    (tmp_path / "empty").touch()
    (tmp_path / "c.txt").touch()
    (tmp_path / "d.psd").touch()
    (tmp_path / ".hidden").touch()
    os.mkfifo(tmp_path / "pipe")  # opening it would wait
    ignored: dict[str, str] = {}
    reader = DirectoryReader(Naming(), on_ignored=lambda path, reason: ignored.update({path.name: reason}))
    assert reader.read(str(tmp_path)).results == {"IMG_1": "IMG_1.jpg"}
    by_content = dict.fromkeys(("empty", "notes", "pipe"), "no picture, by its content")
    assert ignored == by_content | {"c.txt": "no picture, by its suffix", "d.psd": "pictures in .psd are not read"}
    assert reader.ignored == {".psd": 1}


def test_a_directory_that_is_gone_is_said(tmp_path: Path) -> None:
    reader = DirectoryReader(Naming())
    assert reader.read(str(tmp_path / "no")).results == {}
    assert reader.closed == [f"cannot read the folder {tmp_path}/no: No such file or directory"]
