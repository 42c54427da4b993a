"""The page in a real Chromium: the browser, one for the tests of a file, and what people do on the page."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, address: str, **options: Any) -> Iterator[Any]:
    """The page at this address, opened; fails at anything its scripts or its policy complain about."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, "reduced_motion": "reduce", **options})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    page.goto(address)
    page.wait_for_selector("#model option", state="attached")
    yield page
    context.close()
    assert complaints == []


def choose(page: Any, data: bytes, name: str = "holiday.png", kind: str = "image/png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})


def files(*entries: tuple[str, bytes] | tuple[str, bytes, str]) -> list[dict[str, Any]]:
    return [{"name": name, "mimeType": kind[0] if kind else "image/png", "buffer": data} for name, data, *kind in entries]


def states(page: Any) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.locator("#rows .state").all_inner_texts()]


def ended(page: Any) -> None:
    page.wait_for_selector("#list:not([hidden]) #cancel-all[hidden]", state="attached")


def saved_zip(page: Any) -> zipfile.ZipFile:
    with page.expect_download() as download:
        page.click("#zip")
    assert download.value.suggested_filename == "upconv.zip"
    return zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))
