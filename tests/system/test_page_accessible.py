"""The page in all states and languages, looked at by axe-core, which `UPCONV_ONNXRUNTIME_WEB` has beside onnxruntime-web."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system.page_browser import CHROMIUM, opened

from upconv.models import bundled

NPM = os.environ.get("UPCONV_ONNXRUNTIME_WEB", "")
LANGUAGES = ("en", "de", "zh", "es")

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}; apt-get install chromium"),
    pytest.mark.skipif(not NPM, reason="UPCONV_ONNXRUNTIME_WEB does not name a folder with axe-core; npm install axe-core"),
]


@pytest.fixture(scope="module")
def axe() -> str:
    found = next((path for base in (Path(NPM), Path(NPM).parent) for path in base.rglob("axe-core/axe.min.js")), None)
    if found is None:
        pytest.skip("axe-core is not beside onnxruntime-web; npm install axe-core")
    return found.read_text()


@pytest.fixture(scope="module")
def server(running: Callable[..., Any], nearest_x2: Path) -> Iterator[Any]:
    with running(models=(nearest_x2, bundled("upsample-s-x2")), workers=1, max_pixels=10_000_000) as service:
        yield service


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_in_any_state_and_language(
    browser: Any, server: Any, axe: str, scheme: str, encoded: Callable[..., bytes]
) -> None:
    address = str(server.base_url)
    with opened(browser, address, color_scheme=scheme, locale="en") as page:
        page.evaluate(axe)

        def violations() -> list[str]:
            found = page.evaluate("axe.run(document).then(({ violations }) => violations)")
            return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]

        def check(state: str) -> None:
            for language in LANGUAGES:
                page.select_option("#language", language)
                page.wait_for_selector(f"html[lang^={language}]")
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (state, language)
                assert violations() == [], (state, language, scheme)

        def files(*given: tuple[str, bytes]) -> None:
            page.set_input_files("#file", [{"name": name, "mimeType": "image/png", "buffer": data} for name, data in given])

        large = encoded("png", 2000, 2000)
        check("empty")
        files(("notes.png", b"text"))
        page.wait_for_selector("#error:not([hidden])")
        check("error")
        files(("large.png", large))
        page.wait_for_selector("#work:not([hidden])")
        check("running")
        page.click("#cancel")
        files(("a.png", encoded("png", 60, 90)))
        page.wait_for_selector("#outcome:not([hidden])")
        check("done")
        for language in LANGUAGES:  # a dialog covers the menu of languages
            page.select_option("#language", language)
            for opener, dialog in (("#models", "#preview"), ("#help-open", "#help")):
                page.click(opener)
                page.wait_for_selector(f"{dialog}[open]")
                assert violations() == [], (dialog, language, scheme)
                page.keyboard.press("Escape")
        files(("one.png", encoded("png", 9, 9)), ("large.png", large), ("bad.png", b"text"), *[("large.png", large)] * 3)
        page.wait_for_selector("#rows li.bad")
        check("queue")
        page.click("#cancel-all")
        check("list")
