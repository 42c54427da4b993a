"""The page of `examples/web`, which computes in the browser: its pixels are those of the command. `scripts/runtime_tests` runs it.

`UPCONV_ONNXRUNTIME_WEB` names a folder with the npm package onnxruntime-web in node_modules.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.system.page_browser import ARGUMENTS, CHROMIUM
from tests.system.test_examples import EXAMPLES, ROOT, serving

NPM = Path(os.environ.get("UPCONV_ONNXRUNTIME_WEB", "none"))
PACKAGE = "node_modules/onnxruntime-web"
MODELS = ROOT / "models/artifacts"
PAGE = (EXAMPLES / "web/index.html").read_text()


def test_it_cuts_and_reads_as_the_sample_for_node_does() -> None:
    """The functions that do not depend on the place where JavaScript runs are the same."""
    node = (EXAMPLES / "consumers/upscale.mjs").read_text()
    for name in ("fields", "contractOf"):
        found = re.search(rf"^function\*? {name}\(.*?^}}\n", node, re.DOTALL | re.MULTILINE)
        assert found is not None
        indented = re.sub(r"^(?=.)", "  ", found[0], flags=re.MULTILINE)
        assert indented in PAGE, name


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page beside the npm package, opened in a browser."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}; apt-get install chromium")
    if not (NPM / PACKAGE).is_dir():
        pytest.skip("UPCONV_ONNXRUNTIME_WEB does not name a folder with onnxruntime-web; scripts/runtime_tests installs it")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    folder = tmp_path_factory.mktemp("web")
    shutil.copy(EXAMPLES / "web/index.html", folder)
    (folder / "node_modules").symlink_to((NPM / "node_modules").absolute())
    with serving(folder) as port, api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}/")
        yield page
        browser.close()
    assert complaints == []


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of several tiles whose sides are no multiples of anything."""
    path = tmp_path_factory.mktemp("pictures") / "in.png"
    with Image.open(ROOT / "tests/data/flower.jpg") as photograph:
        photograph.convert("RGB").crop((0, 0, 301, 267)).save(path)
    return path


def said(page: Any, model: Path, picture: Path) -> str:
    page.set_input_files("#model", str(model))
    page.set_input_files("#file", str(picture))
    page.click("button")
    page.wait_for_function("!document.getElementById('state').textContent.endsWith('…')", timeout=120_000)
    return str(page.text_content("#state"))


def saved(page: Any) -> np.ndarray:
    with page.expect_download() as download:
        page.click("#link")
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as larger:
        return np.asarray(larger.convert("RGB")).astype(int)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "scale"), [("deconv-s-x2", 2), ("upsample-s-x3.int8", 3), ("nearest-x2", 2)])
def test_its_pixels_are_those_of_the_command(page: Any, model: str, scale: int, picture: Path, tmp_path: Path) -> None:
    assert said(page, MODELS / f"{model}.onnx", picture) == f"{301 * scale} × {267 * scale} pixels, by {model.split('.')[0]}"
    words = ["upscale", picture, "--model", MODELS / f"{model}.onnx", "-o", tmp_path / "out.png"]
    subprocess.run([sys.executable, "-m", "upconv", *map(str, words)], check=True, capture_output=True)
    with Image.open(tmp_path / "out.png") as expected:
        difference = np.abs(saved(page) - np.asarray(expected))
    assert difference.max() <= 1  # a value that lies on the border between two 8-bit values
    assert (difference > 0).mean() < 1e-4


@pytest.mark.slow
def test_it_says_why_a_file_cannot_be_used(
    page: Any, without_contract: Path, picture: Path, encoded: Callable[..., bytes], tmp_path: Path
) -> None:
    assert said(page, without_contract, picture) == "This did not work: the file has no contract"
    (tmp_path / "in.txt").write_text("not a picture")
    assert said(page, MODELS / "nearest-x2.onnx", tmp_path / "in.txt").startswith("This did not work: ")
    assert not page.is_visible("#result")
