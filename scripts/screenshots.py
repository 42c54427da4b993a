"""Screenshots of the web page for docs/: `python scripts/screenshots.py`, with Chromium and Playwright."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from upconv.runtime import codecs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
VIEWS: dict[str, dict[str, Any]] = {
    "page-light": {"viewport": {"width": 1100, "height": 720}, "color_scheme": "light"},
    "page-dark": {"viewport": {"width": 1100, "height": 720}, "color_scheme": "dark"},
    "page-phone": {
        "viewport": {"width": 390, "height": 780},
        "color_scheme": "light",
        "device_scale_factor": 2,
        "has_touch": True,
    },
    "page-result": {"viewport": {"width": 1100, "height": 1050}, "color_scheme": "light"},
}


def main() -> None:
    """Write the screenshots."""
    with service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"])
        for name, view in VIEWS.items():
            page = browser.new_context(**view).new_page()
            page.goto(url)
            page.wait_for_selector("#model option", state="attached")
            if name != "page-light" and name != "page-dark":
                upscale(page, magnified=name == "page-result")
            page.screenshot(path=DOCS / f"{name}.jpg", type="jpeg", quality=78)
        browser.close()


def upscale(page: Any, magnified: bool) -> None:
    """Upscale a part of a photograph at half its size on the page."""
    photograph = codecs.read(ROOT / "tests/data/flower.jpg")
    crop = photograph.with_samples(photograph.samples[:440:2, :640:2].copy())
    data = codecs.encode(crop, "jpeg", 92)[0]
    page.set_input_files("#file", {"name": "flower.jpg", "mimeType": "image/jpeg", "buffer": data})
    page.wait_for_selector("#outcome:not([hidden])", timeout=60_000)
    if magnified:
        for _ in range(2):
            page.click("#nearer")
    page.wait_for_timeout(300)


@contextmanager
def service() -> Iterator[str]:
    """Run `upconv serve` on a free port; yield its URL."""
    with tempfile.TemporaryDirectory() as jobs:
        command = [sys.executable, "-m", "upconv", "serve", "--port", "0", "--jobs-dir", jobs, "--log-level", "error"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process.stdout.readline().split()[-1]
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
