"""Runs the modules of the page: in node, or in Chromium without it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from upconv.service.web_page import FOLDER

CHROMIUM = Path("/usr/bin/chromium")
RUN = """
import { readFileSync } from "node:fs";
const { module, script, given } = JSON.parse(readFileSync(0, "utf8"));
const result = await new Function("module", "given", script)(await import(`./${module}`), given);
console.log(JSON.stringify(result));
"""
IN_BROWSER = """
async ({ module, script, given }) => await new Function("module", "given", script)(await import(`/web/${module}`), given)
"""

Evaluate = Callable[[str, str, Any], Any]
"""Runs a script with a module of the page as `module` and JSON as `given`, and returns the JSON that it returns."""


@pytest.fixture(scope="module")
def evaluate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    node = shutil.which("node")
    if node is None:
        in_chromium: Evaluate = request.getfixturevalue("in_chromium")
        return in_chromium
    folder = tmp_path_factory.mktemp("modules")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "run.js").write_text(RUN)

    def run(module: str, script: str, given: Any) -> Any:
        text = json.dumps({"module": module, "script": script, "given": given})
        done = subprocess.run([node, folder / "run.js"], input=text, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def in_chromium() -> Iterator[Evaluate]:
    api = pytest.importorskip("playwright.sync_api", reason="neither node nor playwright is installed")
    if not CHROMIUM.exists():
        pytest.skip("there is neither node nor a browser; apt-get install nodejs")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox"])
        page = browser.new_page()
        page.route(
            "http://page.test/**",
            lambda route: route.fulfill(
                body=(FOLDER / route.request.url.partition("/web/")[2]).read_text() if "/web/" in route.request.url else "",
                content_type="text/javascript" if "/web/" in route.request.url else "text/html",
            ),
        )
        page.goto("http://page.test/")
        yield lambda module, script, given: page.evaluate(IN_BROWSER, {"module": module, "script": script, "given": given})
        browser.close()
