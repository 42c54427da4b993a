"""Several pictures on the page: the list, its files, and what may go wrong with it, in a real Chromium."""

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
from tests.system.page_browser import CHROMIUM, choose, opened
from tests.system.page_modules import Evaluate

from upconv.runtime import Contract, codecs
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


def test_files_that_are_no_pictures_or_too_large_among_others(
    browser: Any, client_with: Callable[..., Any], encoded: Callable[..., bytes]
) -> None:
    with (
        client_with(max_pixels=10_000, max_output_pixels=40_000, max_bytes=50_000) as service,
        opened(browser, str(service.base_url), locale="de") as page,
    ):
        assert (
            page.inner_text("#limits").replace("\N{NO-BREAK SPACE}", " ")
            == "Je Bild bis zu 50 kB und 0,01 Megapixel; das Ergebnis hat bis zu 0,04 Megapixel."
        )
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        page.set_input_files(
            "#file",
            files(
                ("Bild.png", encoded("png", 12, 20)),
                ("Bild.png", encoded("png", 20, 12)),
                ("notizen.txt", b"text", "text/plain"),
                ("groß.png", encoded("png", 101, 100)),
                ("schwer.png", b"\0" * 50_001),
                ("kaputt.png", b"this is text"),
                ("花.png", encoded("png", 6, 6)),
            ),
        )
        ended(page)
        assert [re.sub(r"\d+ ms", "…", text) for text in states(page)] == [
            "20 × 12 → 40 × 24 · 1 kB · … · nearest-x2-test",
            "12 × 20 → 24 × 40 · 1 kB · … · nearest-x2-test",
            "notizen.txt ist kein Bild, das hier gelesen werden kann. Bitte eine Datei in JPEG, PNG, WebP, AVIF, TIFF, GIF oder BMP "
            "wählen.",
            "groß.png hat 100 × 101 Pixel, und der Server nimmt höchstens 0,01 Megapixel an. Bitte ein kleineres Bild wählen.",
            "schwer.png hat 50 kB, und der Server nimmt höchstens 50 kB an. Bitte eine kleinere Datei wählen.",
            "Die Datei ist kein Bild, das der Server lesen kann. Bitte eine andere Datei wählen.",
            "6 × 6 → 12 × 12 · 1 kB · … · nearest-x2-test",
        ]
        assert len(sent) == 4, "what is beyond the limits is not sent"
        assert page.inner_text("#summary") == "3 von 7 Bildern fertig · 4 fehlgeschlagen"
        assert page.is_hidden("#error")
        with saved_zip(page) as archive:
            assert archive.namelist() == ["Bild-40x24.png", "Bild-24x40.png", "花-12x12.png"]
            assert codecs.decode(archive.read("花-12x12.png")).width == 12

        page.check("input[name=scale][value='3']", force=True)
        assert page.inner_text("#all-again") == "3 Bilder mit diesen Einstellungen neu berechnen"
        page.click("#all-again")
        ended(page)
        assert "60 × 36" in states(page)[0]
        page.select_option("#language", "zh")
        page.wait_for_selector("#list-title:text('本次会话的图片')")
        assert states(page)[2] == "notizen.txt 不是可以读取的图片。请选择 JPEG、PNG、WebP、AVIF、TIFF、GIF 或 BMP 文件。"
        page.click("#rows li:first-child .show")
        page.wait_for_selector("#outcome:not([hidden])")
        assert "60 × 36" in page.inner_text("#facts")
        page.click("#another")
        page.click("#clear")
        assert page.is_hidden("#list")
        assert page.is_visible("#drop")
        assert page.evaluate("Object.keys(localStorage).concat(Object.keys(sessionStorage))") == ["upconv.language"]


def test_cancel_one_cancel_all_and_leave(
    browser: Any, service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Any
) -> None:
    with opened(browser, str(service.base_url)) as page:
        page.set_input_files("#file", files(*((f"{k}.png", encoded("png", 20, 20 + k)) for k in range(4))))
        page.wait_for_selector("#rows .state:text('Enlarging')")
        page.focus("#rows li:nth-child(4) .cancel")
        page.keyboard.press("Enter")
        assert states(page)[3] == "Cancelled"
        assert page.evaluate("document.activeElement.textContent") == "Try again"
        dialogs: list[str] = []

        def stay(dialog: Any) -> None:
            dialogs.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", stay)
        page.evaluate("() => { setTimeout(() => location.reload()); }")
        wait_until(lambda: page.wait_for_timeout(20) is None and bool(dialogs))
        assert dialogs == ["beforeunload"], "the browser asks before it leaves pictures behind"
        page.click("#cancel-all")
        assert states(page) == ["Cancelled"] * 4
        gate.opened.set()
        wait_until(lambda: service.state.jobs.storage.store.ids() == set())
        page.click("#rows li:nth-child(2) .again")
        page.wait_for_selector("#rows li:nth-child(2) .save")
        assert [text.split(" ")[0] for text in states(page)] == ["Cancelled", "21", "Cancelled", "Cancelled"]


def test_a_service_that_goes_away(browser: Any, client: Any, encoded: Callable[..., bytes], tmp_path: Path) -> None:
    with opened(browser, str(client.base_url)) as page:
        page.context.set_offline(True)
        page.set_input_files("#file", files(*((f"{k}.png", encoded("png", 8, 8)) for k in range(5))))
        page.wait_for_selector("#resume:not([hidden])")
        reason = "The server could not be reached, or closed the connection. Try again in a moment."
        assert page.inner_text("#error") == f"{reason} 5 pictures wait here."
        page.select_option("#language", "es")
        page.wait_for_timeout(100)
        assert page.input_value("#language") == "en", "the texts of another language cannot be loaded now"
        page.context.set_offline(False)
        page.select_option("#language", "es")
        page.wait_for_selector("#error:text('5 imágenes esperan aquí.')")
        page.click("#resume")
        ended(page)
        assert page.locator("#rows .save").count() == 5
        assert page.is_hidden("#error")

        page.click("#clear")
        page.context.set_offline(True)
        choose(page, encoded())
        page.wait_for_selector("#resume:not([hidden])")
        page.context.set_offline(False)
        page.click("#resume")
        page.wait_for_selector("#outcome:not([hidden])")

        page.context.set_offline(True)
        (tmp_path / "moved.png").write_bytes(encoded())
        page.set_input_files("#file", tmp_path / "moved.png")
        page.wait_for_selector("#resume:not([hidden])")
        (tmp_path / "moved.png").unlink()
        page.context.set_offline(False)
        page.click("#resume")
        page.wait_for_selector("#error:text('No se puede leer moved.png')")


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


def test_copy_keyboard_help_and_a_page_without_scripts(browser: Any, client: Any, encoded: Callable[..., bytes]) -> None:
    with opened(browser, str(client.base_url)) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        choose(page, encoded("jpeg", 6, 8), "a.jpg", "image/jpeg")
        page.wait_for_selector("#outcome:not([hidden])")
        page.click("#copy")
        page.wait_for_selector("#copy:text('Copied')")
        copied = page.evaluate(
            "navigator.clipboard.read().then(async ([item]) => [item.types, (await item.getType('image/png')).size])"
        )
        assert copied[0] == ["image/png"]
        assert copied[1] > 0
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("Escape")
        assert page.is_hidden("#help")
        page.click("#another")
        page.wait_for_selector("#list:not([hidden])")
        assert page.locator("#rows li").count() == 1, "the history of this session"
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(str(client.base_url))
    assert "This page needs JavaScript." in page.inner_text("main")
    assert "curl --fail-with-body -F file=@in.jpg 'ADDRESS/v1/upscale?scale=2'" in page.inner_text("main")
    assert page.is_hidden("#drop")
    context.close()


@pytest.fixture(scope="module")
def second(nearest_x2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model that upscales."""
    model = onnx.load(nearest_x2)
    contract = Contract.model_validate_json(model.metadata_props[0].value).model_copy(update={"name": "second-test"})
    helper.set_model_props(model, {KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("second") / "second.onnx"
    onnx.save(model, path)
    return path


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
        assert page.is_disabled("#figures figure:nth-child(2) button")
        page.click("#figures figure:nth-child(3) button")
        page.wait_for_selector("#facts:text('second-test')")
        assert page.input_value("#model") == "second-test"
        assert page.evaluate("document.documentElement.scrollWidth") == 360
