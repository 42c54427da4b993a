"""What takes long on the page in a real Chromium: many pictures, copies, models side by side, and a service that is killed."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import helper
from tests.system.page_browser import CHROMIUM, choose, ended, files, opened, saved_zip
from tests.system.page_modules import Evaluate

from upconv.runtime import Contract
from upconv.runtime.contract import KEY

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}; apt-get install chromium")

ZIP = """
const { zip, uniqueNames } = module;
const entries = given.map(([name, text]) => ({ name, blob: new Blob([text]) }));
return (async () => {
  const file = await zip(entries, new Date(2026, 10, 28, 12, 34, 56));
  const large = { size: 2 ** 32, arrayBuffer: async () => new ArrayBuffer(0) };
  const refused = await zip([{ name: "a", blob: large }]).catch((error) => error.message);
  return [[...new Uint8Array(await file.arrayBuffer())], refused, uniqueNames(["a", "A", "a (2)", "b.png", "b.png", ".x", ".x"])];
})();
"""

FACTS = """
import("/web/models.js").then(({ modelFacts }) => {
  const size = { scale: 2 };
  const contract = { use: { kind: "web" }, height: size, width: size };
  return modelFacts({ contract, seconds_per_megapixel: 1.3 }, 1000, 1000, 4);
})
"""
"""The facts about a model that runs twice, on one megapixel and on four."""


def test_zip(evaluate: Evaluate) -> None:
    given = [("a.png", "first"), ("a.png", "second"), ("花.png", "flower"), ("A.PNG", "")]
    data, refused, names = evaluate("zip.js", ZIP, given)
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.png", "a (2).png", "花.png", "A (3).PNG"]
        assert [archive.read(name).decode() for name in archive.namelist()] == [text for _, text in given]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert all(entry.flag_bits & 1 << 11 for entry in archive.infolist()), "names are in UTF-8"
        assert archive.infolist()[0].date_time == (2026, 11, 28, 12, 34, 56)
    assert refused == "The pictures are too large for one ZIP file. Download them one by one."
    assert names == ["a", "A (3)", "a (2)", "b.png", "b (2).png", ".x", " (2).x"]


@pytest.mark.slow
def test_a_service_that_is_killed_during_the_work(browser: Any, encoded: Callable[..., bytes], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    def serve() -> subprocess.Popen[str]:
        options = ["--port", str(port), "--jobs-dir", str(tmp_path), "--workers", "1", "--model", "upsample-s-x2"]
        process = subprocess.Popen([sys.executable, "-m", "upconv", "serve", *options], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        return process

    process = serve()
    try:
        with opened(browser, f"http://127.0.0.1:{port}", locale="es") as page:
            page.set_input_files("#file", files(*((f"{k}.png", encoded("png", 500, 500 + k)) for k in range(4))))
            page.wait_for_selector("#rows .state:text('Ampliando')")
            process.kill()
            process.communicate()
            page.wait_for_selector("#resume:not([hidden])")
            assert page.inner_text("#error").startswith("No se pudo contactar con el servidor, o este cerró la conexión.")
            assert page.locator("#rows .cancel, #rows .save").count() == 4, "nothing is lost"
            process = serve()
            page.click("#resume")
            ended(page)
            assert page.locator("#rows .save").count() == 4
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_sixty_files_of_one_name(browser: Any, client: Any, encoded: Callable[..., bytes]) -> None:
    with opened(browser, str(client.base_url)) as page:
        page.set_input_files("#file", files(*(("a.png", encoded("png", 9, 8 + k)) for k in range(60))))
        page.wait_for_selector("#left:text('about')")
        ended(page)
        assert page.inner_text("#summary") == "60 of 60 pictures done"
        with saved_zip(page) as archive:
            assert len(set(archive.namelist())) == 60
            assert archive.testzip() is None


@pytest.mark.slow
def test_copy(browser: Any, client: Any, encoded: Callable[..., bytes]) -> None:
    script = "navigator.clipboard.read().then(async ([item]) => [item.types, (await item.getType('image/png')).size])"
    with opened(browser, str(client.base_url)) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        choose(page, encoded("jpeg", 6, 8), "a.jpg", "image/jpeg")
        page.wait_for_selector("#outcome:not([hidden])")
        page.click("#copy")
        page.wait_for_selector("#copy:text('Copied')")
        types, size = page.evaluate(script)
        assert types == ["image/png"]
        assert size > 0


@pytest.fixture(scope="module")
def second(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model that upscales."""
    model = onnx.load(nearest_x2)
    contract = Contract.model_validate_json(model.metadata_props[0].value).model_copy(update={"name": "second-test"})
    helper.set_model_props(model, {KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("second") / "second.onnx"
    onnx.save(model, path)
    return path


@pytest.mark.slow
def test_a_detail_in_each_model(
    browser: Any, client_with: Callable[..., Any], nearest_x2: Path, second: Path, encoded: Callable[..., bytes]
) -> None:
    with (
        client_with(models=(nearest_x2, second)) as service,
        opened(browser, str(service.base_url), viewport={"width": 360, "height": 700}) as page,
    ):
        choose(page, encoded("png", 100, 300))
        page.wait_for_selector("#outcome:not([hidden])")
        assert page.inner_text("#facts").endswith(" · nearest-x2-test")
        page.click("#models")
        for place in (2, 3):
            page.wait_for_selector(f"#figures figure:nth-child({place}) img:not([hidden])")
        page.evaluate("Promise.all([...document.querySelectorAll('#figures img')].map((image) => image.decode()))")
        sizes = page.evaluate(
            "[...document.querySelectorAll('#figures img')].map((image) => [image.naturalWidth, image.naturalHeight])"
        )
        assert sizes == [[96, 96], [192, 192], [192, 192]], "the original, and the detail in two models"
        about = page.locator("#figures .state").all_inner_texts()
        assert about[0] == "", "the original costs nothing"
        for text in about[1:]:
            assert re.fullmatch(r"about \d+(\.\d)?\s\w+ for the picture", text)
        assert page.evaluate(FACTS) == [
            "photographs from the web",
            "about 6.5\N{NO-BREAK SPACE}sec for the picture",
        ]
        assert page.is_disabled("#figures figure:nth-child(2) button")
        page.click("#figures figure:nth-child(3) button")
        page.wait_for_selector("#facts:text('second-test')")
        assert page.input_value("#model") == "second-test"
        assert page.evaluate("document.documentElement.scrollWidth") == 360
