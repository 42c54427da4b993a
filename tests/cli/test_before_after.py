from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest

from upconv.cli.before_after import check_page, write_page
from upconv.runtime import codecs
from upconv.runtime.errors import ParameterError
from upconv.runtime.folders import FileResult, FileTask
from upconv.runtime.picture import Picture


def test_a_page_that_might_replace_a_picture_or_has_no_folder_is_refused(tmp_path: Path) -> None:
    check_page(None)
    check_page(tmp_path / "page.HTM")
    for name in ("page.png", "page", "none/page.html", "."):
        with pytest.raises(ParameterError, match="cannot write a page"):
            check_page(tmp_path / name)


def test_a_run_without_results_is_a_page_without_figures(tmp_path: Path) -> None:
    failed = FileResult(FileTask(tmp_path / "a.png", tmp_path / "b.png"), "failed", error="a.png: it is empty")
    write_page(tmp_path / "page.html", [failed], "<model>")
    text = (tmp_path / "page.html").read_text()
    assert "No picture was upscaled." in text
    assert "<figure>" not in text
    assert "Before and after &lt;model&gt;" in text


def test_a_tiff_is_a_preview_of_limited_size_in_the_page(tmp_path: Path) -> None:
    source, destination = tmp_path / "in.tif", tmp_path / "gone.tif"
    source.write_bytes(codecs.encode(Picture(np.zeros((20, 3200, 3), np.uint8)), "tiff")[0])
    write_page(tmp_path / "page.html", [FileResult(FileTask(source, destination), "done", (3200, 20), (6400, 40))], "model")
    after, before = re.findall(r'<img[^>]* src="([^"]*)"', (tmp_path / "page.html").read_text())
    preview = codecs.decode(base64.b64decode(before.removeprefix("data:image/webp;base64,")))
    assert (preview.width, preview.height) == (1600, 10)
    assert after == "", "a file that was removed has no preview"
