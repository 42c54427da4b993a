"""Screenshots of the web page for docs/: `python scripts/screenshots.py`, with Chromium and Playwright."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from upconv.runtime import codecs

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUALITY = 74
WIDE = {"viewport": {"width": 1100, "height": 720}}
NARROW = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2, "has_touch": True}
VIEWS: dict[str, dict[str, Any]] = {
    "page-light": WIDE,
    "page-dark": {**WIDE, "color_scheme": "dark"},
    "page-phone": NARROW,
    "page-result": {"viewport": {"width": 1100, "height": 1050}},
    "page-list": {"viewport": {"width": 1100, "height": 900}, "locale": "de"},
    "page-models": {"viewport": {"width": 1000, "height": 760}},
    "page-chinese": {**NARROW, "locale": "zh-CN"},
}


def main() -> None:
    """Write the screenshots."""
    with service() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"])
        for name, view in VIEWS.items():
            page = browser.new_context(**{"color_scheme": "light", "locale": "en", **view}).new_page()
            page.goto(url)
            page.wait_for_selector("#model option", state="attached")
            STATES.get(name, lambda page: None)(page)
            page.wait_for_timeout(300)
            write(page.screenshot(type="png"), DOCS / f"{name}.webp")
        browser.close()


def write(data: bytes, path: Path) -> None:
    """Write a screenshot as WebP."""
    path.write_bytes(codecs.encode(codecs.decode(data), "webp", QUALITY)[0])


def part(left: int = 0, top: int = 0, width: int = 640, height: int = 440) -> bytes:
    """Return a part of a photograph at half its size, as JPEG."""
    photograph = codecs.read(ROOT / "tests/data/flower.jpg")
    crop = photograph.with_samples(photograph.samples[top : top + height : 2, left : left + width : 2].copy())
    return codecs.encode(crop, "jpeg", 92)[0]


def choose(page: Any, **files: bytes) -> None:
    """Choose files on the page, by name without ending."""
    page.set_input_files(
        "#file", [{"name": f"{name}.jpg", "mimeType": "image/jpeg", "buffer": data} for name, data in files.items()]
    )


def one(page: Any) -> None:
    """Enlarge one picture."""
    choose(page, flower=part())
    page.wait_for_selector("#outcome:not([hidden])", timeout=60_000)


def magnified(page: Any) -> None:
    """Enlarge one picture, and zoom in."""
    one(page)
    for _ in range(2):
        page.click("#nearer")


def several(page: Any) -> None:
    """Enlarge several pictures, until the first ones are done."""
    choose(page, **{f"IMG_{2041 + k}": part(40 * k, 10 * k, 560, 400) for k in range(5)})
    page.wait_for_selector("#rows li:nth-child(2) .save", timeout=60_000)


def models(page: Any) -> None:
    """Compare the models on a detail."""
    magnified(page)
    page.click("#models")
    page.wait_for_selector("#figures figure:last-child img:not([hidden])", timeout=120_000)


STATES: dict[str, Callable[[Any], None]] = {
    "page-phone": one,
    "page-result": magnified,
    "page-list": several,
    "page-models": models,
    "page-chinese": one,
}
"""What is done on the page before its screenshot."""


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
