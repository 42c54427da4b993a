"""The page in a real Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.system.page_browser import CHROMIUM, choose, ended, files, opened, saved_zip, states

from upconv.runtime import Picture, codecs

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}; apt-get install chromium")


@pytest.fixture
def page(browser: Any, client: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    width, scheme = getattr(request, "param", (1280, "light"))
    with opened(browser, str(client.base_url), viewport={"width": width, "height": 860}, color_scheme=scheme) as page:
        yield page


@pytest.mark.parametrize("page", [(1280, "light"), (1280, "dark"), (360, "light")], indirect=True)
def test_before_and_after(page: Any, encoded: Callable[..., bytes], tmp_path: Path) -> None:
    page.screenshot(path=tmp_path / "empty.png")
    page.check("input[name=scale][value='3']", force=True)
    choose(page, encoded("png", 60, 90))
    page.wait_for_selector("#outcome:not([hidden])")
    assert "90 × 60 → 270 × 180" in page.inner_text("#facts")
    assert page.get_attribute("#download", "download") == "holiday-270x180.png"
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"], "nothing to scroll sideways"
    page.screenshot(path=tmp_path / "result.png", full_page=True)

    with page.expect_download() as download:
        page.click("#download")
    saved = codecs.decode(Path(download.value.path()).read_bytes())
    assert (saved.width, saved.height) == (270, 180)


def test_slider_by_keyboard_and_pointer(page: Any, encoded: Callable[..., bytes]) -> None:
    choose(page, encoded("png", 60, 90))
    page.wait_for_selector("#outcome:not([hidden])")
    page.focus("#slider")
    page.keyboard.press("End")
    assert page.evaluate("document.getElementById('compare').style.getPropertyValue('--at')") == "100%"
    box = page.locator("#compare").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + box["height"] / 2)
    assert float(page.input_value("#slider")) == pytest.approx(25, abs=1)


def test_zoom(page: Any, encoded: Callable[..., bytes]) -> None:
    choose(page, encoded("png", 60, 90))
    page.wait_for_selector("#outcome:not([hidden])")
    page.click("#nearer")
    page.focus("#slider")
    page.keyboard.press("+")
    assert page.inner_text("#factor") == "225%"
    box = page.locator("#compare").bounding_box()

    def style(name: str) -> float:
        value = page.evaluate(f"document.getElementById('compare').style.getPropertyValue('{name}')")
        return float(value.rstrip("px%"))

    before = style("--x")
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 200, steps=5)
    page.mouse.up()
    assert style("--x") == pytest.approx(before - 50, abs=2)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 3, steps=5)
    page.mouse.up()
    assert style("--at") == pytest.approx(25, abs=1), "the handle slides also when near"
    page.click("#factor")
    assert (style("--zoom"), style("--x")) == (1, 0)


def test_progress_and_cancel(browser: Any, service: Any, gate: Any, encoded: Callable[..., bytes], wait_until: Any) -> None:
    page = browser.new_page()
    page.goto(str(service.base_url))
    page.wait_for_selector("#model option", state="attached")
    choose(page, encoded("png", 700, 400))
    page.wait_for_selector("#step:text('Enlarging')")
    assert page.is_visible("#compare"), "the picture is seen while one waits"
    page.click("#cancel")
    gate.opened.set()
    wait_until(lambda: service.state.jobs.storage.store.ids() == set())
    assert page.is_visible("#drop")
    choose(page, encoded())
    page.wait_for_selector("#outcome:not([hidden])")
    wait_until(lambda: service.state.jobs.storage.store.ids() == set())
    page.close()


def test_key(browser: Any, client_with: Callable[..., Any], encoded: Callable[..., bytes]) -> None:
    with client_with(api_keys="ann:ann-0123456789abcdef") as service:
        page = browser.new_page()
        page.goto(str(service.base_url))
        page.wait_for_selector("#error:text('an API key is required'), #error:text('An API key is required')")
        page.fill("#key", "ann-0123456789abcdef")
        page.press("#key", "Tab")
        page.wait_for_selector("#model option", state="attached")
        choose(page, encoded())
        page.wait_for_selector("#outcome:not([hidden])")
        page.close()


def test_errors_are_sentences(page: Any, encoded: Callable[..., bytes], tmp_path: Path) -> None:
    choose(page, b"this is text", "holiday.jpg", "image/jpeg")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error").startswith("The data is not an image that can be read; expected jpeg, png")
    page.screenshot(path=tmp_path / "error.png")
    choose(page, encoded())
    page.wait_for_selector("#outcome:not([hidden])")
    assert page.is_hidden("#error")


def test_what_browsers_cannot_show_comes_back_as_png(page: Any, encoded: Callable[..., bytes]) -> None:
    choose(page, encoded("tiff"), "scan.tif", "image/tiff")
    page.wait_for_selector("#outcome:not([hidden])")
    assert page.get_attribute("#download", "download") == "scan-40x24.png"
    assert page.is_hidden("#slider")


def test_dropped_and_pasted(page: Any) -> None:
    for event, key in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """async ([name, key]) => {
                const canvas = new OffscreenCanvas(8, 6);
                canvas.getContext("2d").fillRect(0, 0, 4, 4);
                const data = new DataTransfer();
                data.items.add(new File([await canvas.convertToBlob()], `${name}.png`, { type: "image/png" }));
                const event = new Event(name, { bubbles: true, cancelable: true });
                document.body.dispatchEvent(Object.assign(event, { [key]: data }));
            }""",
            [event, key],
        )
        page.wait_for_selector(f"#download[download='{event}-16x12.png']")


def test_reference(page: Any, client: Any) -> None:
    page.goto(str(client.base_url.join("/docs#unknown-model")))
    page.wait_for_selector(".route")
    assert "/v1/upscale" in page.inner_text("#routes")
    assert "404: The model does not exist" in page.inner_text("#problems")


def test_a_tab_that_is_closed_during_the_work_leaves_nothing(
    browser: Any, service: Any, gate: Any, encoded: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(service.state.jobs.leases, "_clock", lambda: now)
    monkeypatch.setattr("upconv.service.jobs.sweep.INTERVAL_S", 0.05)
    context = browser.new_context()
    page = context.new_page()
    page.goto(str(service.base_url))
    page.wait_for_selector("#model option", state="attached")
    choose(page, encoded())
    wait_until(lambda: gate.tiles == 1)
    context.close()
    gate.opened.set()
    store = service.state.jobs.storage.store
    wait_until(lambda: service.state.jobs.waiting == 0)

    def deleted_a_lease_later() -> bool:
        nonlocal now
        now += 61  # the service may notice late that the connection is closed, and the lease runs from then on
        return bool(store.ids() == set())

    wait_until(deleted_a_lease_later)
    wait_until(lambda: not any(service.state.jobs.storage.files.folder.glob("*")))


def test_the_language_of_the_browser_and_another_that_is_remembered(
    browser: Any, client: Any, encoded: Callable[..., bytes]
) -> None:
    with opened(browser, str(client.base_url), locale="de-AT") as page:
        assert page.get_attribute("html", "lang") == "de"
        assert (page.inner_text("h1"), page.title()) == ("Bild vergrößern", "upconv · Bild vergrößern")
        choose(page, b"this is text", "holiday.jpg", "image/jpeg")
        page.wait_for_selector("#error:text('Die Datei ist kein Bild, das der Server lesen kann.')")
        page.select_option("#language", "zh")
        page.wait_for_selector("#error:text('该文件不是服务器能读取的图片。')")
        assert page.get_attribute("html", "lang") == "zh-Hans"
        choose(page, encoded("png", 60, 90))
        page.wait_for_selector("#outcome:not([hidden])")
        assert page.inner_text("#download") == "下载"
        page.reload()
        page.wait_for_selector("h1:text('放大图片')")
        assert page.input_value("#language") == "zh"
        assert page.evaluate("Object.keys(localStorage)") == ["upconv.language"]


def test_a_note_is_said_in_the_language_of_the_page(browser: Any, client: Any) -> None:
    transparent = codecs.encode(Picture(np.full((12, 20, 4), 100, np.uint8)), "png")[0]
    with opened(browser, str(client.base_url), locale="de") as page:
        page.select_option("#format", "jpeg")
        choose(page, transparent)
        page.wait_for_selector("#note:text('Transparenz durch Weiß ersetzt')")
        said = "Im Ergebnis geändert: Transparenz durch Weiß ersetzt, weil jpeg keine aufnehmen kann."
        assert page.inner_text("#note") == said
        page.select_option("#language", "es")
        page.wait_for_selector("#note:text('transparencia sustituida por blanco')")


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
        page.keyboard.press("?")
        assert page.is_visible("#help")
        page.keyboard.press("Escape")
        assert page.is_hidden("#help")
        page.click("#another")
        assert page.locator("#rows li").count() == 7, "the history of this session"
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
        page.set_input_files("#file", files(*((f"{k}.png", encoded("png", 8, 8)) for k in range(3))))
        page.wait_for_selector("#resume:not([hidden])")
        reason = "The server could not be reached, or closed the connection. Try again in a moment."
        assert page.inner_text("#error") == f"{reason} 3 pictures wait here."
        page.select_option("#language", "es")
        page.wait_for_timeout(100)
        assert page.input_value("#language") == "en", "the texts of another language cannot be loaded now"
        page.context.set_offline(False)
        page.select_option("#language", "es")
        page.wait_for_selector("#error:text('3 imágenes esperan aquí.')")
        page.click("#resume")
        ended(page)
        assert page.locator("#rows .save").count() == 3
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


def test_a_page_without_scripts(browser: Any, client: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(str(client.base_url))
    assert "This page needs JavaScript." in page.inner_text("main")
    assert "curl --fail-with-body -F file=@in.jpg 'ADDRESS/v1/upscale?scale=2'" in page.inner_text("main")
    assert page.is_hidden("#drop")
    context.close()
