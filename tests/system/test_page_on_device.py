"""The page that computes on the device, in a real Chromium: with WebAssembly, and with WebGPU on a software renderer.

`UPCONV_ONNXRUNTIME_WEB` names the installed npm package onnxruntime-web, or a folder with it in node_modules.
"""

from __future__ import annotations

import io
import os
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from upconv.models import bundled
from upconv.models.catalogue import CATALOGUE
from upconv.runtime.contract import KEY, Contract, Halo, Pixels, Provenance, SizeLaw
from upconv.runtime.cores import available_cores
from upconv.service.site import write_site
from upconv.service.web_runtime import open_runtime, write_runtime

CHROMIUM = Path("/usr/bin/chromium")
NPM = os.environ.get("UPCONV_ONNXRUNTIME_WEB", "")
USUAL = ["--headless", "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WITHOUT_GPU = [*USUAL, "--no-first-run", "--disable-gpu"]
SWIFTSHADER = [
    *(*USUAL, "--no-first-run", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"),
    *("--enable-features=Vulkan,WebGPU", "--use-vulkan=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
EQUAL = 1e-5
"""Largest difference from the server before rounding, as a share of the range from black to white."""

pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no browser at {CHROMIUM}; apt-get install chromium"),
    pytest.mark.skipif(not NPM, reason="UPCONV_ONNXRUNTIME_WEB does not name the npm package onnxruntime-web"),
]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install playwright")
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Iterator[Any]:
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=WITHOUT_GPU)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_runtime(Path(NPM), tmp_path_factory.mktemp("runtime") / "web").folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of two convolutions with random weights and a halo, which takes little time to compile."""
    draw = np.random.default_rng(0)
    shapes = {"w1": (8, 3, 3, 3), "b1": (8,), "w2": (12, 8, 3, 3), "b2": (12,)}
    weights = [numpy_helper.from_array(draw.normal(0, 0.2, shape).astype(np.float32), name) for name, shape in shapes.items()]
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["first"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["first"], ["bent"]),
        helper.make_node("Conv", ["bent", "w2", "b2"], ["second"], pads=[1, 1, 1, 1]),
        helper.make_node("DepthToSpace", ["second"], ["output"], blocksize=2, mode="CRD"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, None, None]) for name in ("image", "output")]
    graph = helper.make_graph(nodes, "test", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    contract = Contract(
        name="small-x2-test",
        task="upscale",
        height=SizeLaw(scale=2),
        width=SizeLaw(scale=2),
        halo=Halo(top=2, bottom=2, left=2, right=2),
        input=Pixels(),
        output=Pixels(),
        opset=18,
        provenance=Provenance(source="built in a test"),
    )
    helper.set_model_props(model, {KEY: contract.to_json()})
    path = tmp_path_factory.mktemp("small") / "small.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def server(running: Any, runtime: Path, small: Path) -> Iterator[Any]:
    """A service of two models in float32, the trained one last."""
    with running(models=(small, bundled("upsample-s-x2")), workers=1, web_runtime=runtime) as service:
        yield service


class Visit:
    """One visit to the page, with its requests."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.requests: list[str] = []
        page.on("request", lambda request: self.requests.append(f"{request.method} {request.url}"))

    def enlarge(self, data: bytes, name: str = "holiday.png", kind: str = "image/png") -> tuple[str, np.ndarray]:
        """Return the note and the pixels of the result."""
        self.choose(data, name, kind)
        self.page.wait_for_selector("#outcome:not([hidden]), #error:not([hidden])", timeout=120_000)
        assert self.page.is_hidden("#error"), self.page.inner_text("#error")
        with self.page.expect_download() as download:
            self.page.click("#download")
        with Image.open(download.value.path()) as image:
            return self.page.inner_text("#note"), np.asarray(image)

    def choose(self, data: bytes, name: str, kind: str) -> None:
        self.page.set_input_files("#file", {"name": name, "mimeType": kind, "buffer": data})

    def refusal(self, data: bytes, name: str = "holiday.png", kind: str = "image/png") -> str:
        """Return the error after a file was chosen."""
        self.choose(data, name, kind)
        self.page.wait_for_selector("#error:not([hidden])")
        text: str = self.page.inner_text("#error")
        return text

    def check_requests(self) -> None:
        """Fail if a request went to another host, or sent the picture."""
        for request in self.requests:
            method, address = request.split(" ", 1)
            assert address.startswith((self.address, f"blob:{self.address}")), request
            assert method in ("GET", "HEAD") or re.search(r"/v2/models/[^/]+/versions/1/infer$", address), request


@contextmanager
def visiting(browser: Any, address: str, *, before: Callable[[Any], object] = id, switch: bool = True) -> Iterator[Visit]:
    """Open the page and switch to the device. Fail at anything that its scripts or its policy complain about."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    before(context)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if "Security Policy" in message.text else None)
    visit = Visit(page, address)
    page.goto(address)
    page.wait_for_selector("#model option", state="attached")
    if switch:
        page.check("#on-device", force=True)
    yield visit
    visit.check_requests()
    context.close()
    assert complaints == []


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def distance(note: str) -> float:
    found = re.search(r"On a test tile it differs from the server by at most (\S+) of the range", note)
    assert found, note
    return float(found[1])


def served(server: Any, data: bytes, model: str) -> np.ndarray:
    """Return the pixels of the server's result."""
    answer = server.post(f"/v1/upscale?model={model}&format=png", content=data)
    with Image.open(io.BytesIO(answer.content)) as image:
        return np.asarray(image)


def not_isolated(context: Any) -> None:
    """Serve the page without the header that isolates it."""

    def answer(route: Any) -> None:
        response = route.fetch()
        headers = {name: value for name, value in response.headers.items() if "embedder" not in name}
        route.fulfill(response=response, headers=headers)

    context.route("**/*", answer)


def test_a_site_of_static_files(browser: Any, server: Any, runtime: Path, small: Path, photograph: Any, tmp_path: Path) -> None:
    write_site(open_runtime(runtime), [small], tmp_path / "site")
    picture = png(photograph(60, 90))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as files:
        threading.Thread(target=files.serve_forever, daemon=True).start()
        with visiting(browser, f"http://127.0.0.1:{files.server_port}/", switch=False) as visit:
            assert visit.page.is_hidden("#device")
            assert visit.page.is_hidden("#reference")
            note, pixels = visit.enlarge(picture)
            assert "not compared" in note
            assert {request.split(" ")[0] for request in visit.requests} <= {"GET", "HEAD"}
        files.shutdown()
    difference = np.abs(pixels.astype(int) - served(server, picture, "small-x2-test"))
    assert difference.max() <= 1


@pytest.mark.parametrize(("model", "isolated"), [("upsample-s-x2", True), ("small-x2-test", False)])
def test_webassembly(browser: Any, server: Any, photograph: Any, model: str, isolated: bool) -> None:
    picture = png(photograph(150, 300))  # two tiles
    cores = available_cores()
    with visiting(browser, str(server.base_url), before=id if isolated else not_isolated) as visit:
        visit.page.select_option("#model", model)
        note, pixels = visit.enlarge(picture)
        assert visit.page.evaluate("crossOriginIsolated") == isolated
        assert "300 × 150 → 600 × 300" in visit.page.inner_text("#facts")
    alone = "one thread because the page is not isolated from other origins"
    words = (f"{cores} threads" if cores > 1 else "one thread") if isolated else alone
    assert f"Computed on this device with WebAssembly in {words} (" in note
    assert distance(note) <= EQUAL
    difference = np.abs(pixels.astype(int) - served(server, picture, model))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3, "only what lies in the middle of two steps is rounded otherwise"
    assert f"GET {server.base_url}/v1/models/{model}%401/file" in [request.replace(":80/", "/") for request in visit.requests]


@pytest.mark.parametrize("model", ["small-x2-test", pytest.param("upsample-s-x2", marks=pytest.mark.slow)])
def test_webgpu(playwright: Any, server: Any, photograph: Any, model: str) -> None:
    picture = png(photograph(64, 96))
    browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWIFTSHADER)
    with visiting(browser, str(server.base_url)) as visit:
        if not visit.page.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no software renderer for WebGPU")
        visit.page.select_option("#model", model)
        note, pixels = visit.enlarge(picture)
    browser.close()
    assert note.startswith("Computed on this device with WebGPU. On a test tile")
    assert distance(note) <= EQUAL
    assert np.abs(pixels.astype(int) - served(server, picture, model)).max() <= 1


@pytest.mark.slow
def test_alpha_is_kept(browser: Any, server: Any, photograph: Any) -> None:
    opacity = np.clip(photograph(40, 60)[..., :1].astype(int) * 2 - 160, 0, 255).astype(np.uint8)
    picture = png(np.dstack([photograph(40, 60), opacity]))
    assert (opacity == 0).any()
    with visiting(browser, str(server.base_url)) as visit:
        visit.page.select_option("#model", "upsample-s-x2")
        _, pixels = visit.enlarge(picture)
    expected = served(server, picture, "upsample-s-x2").astype(int)
    assert pixels.shape == expected.shape == (80, 120, 4)
    difference = np.abs(pixels - expected)
    assert difference[..., 3].max() <= 1
    # A canvas holds colours multiplied by the opacity, so that those of nearly transparent pixels are coarse.
    assert (difference[..., :3].max(-1) * expected[..., 3] / 255).max() <= 6
    assert (difference[..., :3].max(-1) * expected[..., 3] / 255).mean() <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "size"), [("1.5", (38, 28)), ("4", (100, 76))])
def test_other_scales(browser: Any, server: Any, photograph: Any, scale: str, size: tuple[int, int]) -> None:
    picture = png(photograph(19, 25))
    with visiting(browser, str(server.base_url)) as visit:
        visit.page.select_option("#model", "upsample-s-x2")
        visit.page.check(f"input[name=scale][value='{scale}']", force=True)
        _, pixels = visit.enlarge(picture)
    answer = server.post(f"/v1/upscale?model=upsample-s-x2&format=png&scale={scale}", content=picture)
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == size
        difference = np.abs(pixels.astype(int) - np.asarray(image))
    assert difference.mean() < 1


@pytest.mark.slow
def test_formats(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(browser, str(server.base_url)) as visit:
        picture = Image.fromarray(photograph(16, 20))
        for kind, name in (("JPEG", "a.jpg"), ("WEBP", "a.webp"), ("GIF", "a.gif")):
            file = io.BytesIO()
            picture.save(file, kind)
            note, _ = visit.enlarge(file.getvalue(), name, f"image/{kind.lower()}")
            expected = name.rpartition(".")[2].replace("gif", "png")
            assert visit.page.get_attribute("#download", "download") == f"a-40x32.{expected}"
            assert ("It is a PNG file" in note) == (kind == "GIF")
        assert visit.page.is_disabled("#avif")
        visit.page.select_option("#format", "webp")
        visit.page.wait_for_selector("#download[download='a-40x32.webp']")


@pytest.mark.slow
def test_no_server_to_compare_with(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(
        browser, str(server.base_url), before=lambda context: context.route("**/v2/**", lambda route: route.abort())
    ) as visit:
        note, _ = visit.enlarge(png(photograph(16, 20)))
    assert "It was not compared with the server: The server could not be reached, or closed the connection." in note


@pytest.mark.slow
def test_another_result_than_the_server(browser: Any, server: Any, photograph: Any) -> None:
    def answer(route: Any) -> None:
        response = route.fetch()
        body, length = response.body(), int(response.headers["inference-header-content-length"])
        route.fulfill(response=response, body=body[:length] + (np.frombuffer(body[length:], np.float32) + 0.01).tobytes())

    with visiting(browser, str(server.base_url), before=lambda context: context.route("**/infer", answer)) as visit:
        text = visit.refusal(png(photograph(16, 20)))
    assert re.match(
        r"This device cannot compute small-x2-test: .*; WebAssembly in .* fails: its result differs from the server's by 1.0e-2 of the "
        r"range from black to white. Choose another model, or a smaller picture.",
        text,
    )


@pytest.mark.slow
def test_models_in_int8_are_computed_on_the_server(browser: Any, running: Any, runtime: Path, small: Path) -> None:
    models = (CATALOGUE["upsample-s-x2"].reduced, small)
    with running(models=models, web_runtime=runtime) as service, visiting(browser, str(service.base_url)) as visit:
        options = visit.page.locator("#model option")
        assert options.all_inner_texts() == [
            "auto (server only)",
            "upsample-s-x2: pictures without loss (int8, server only)",
            "small-x2-test",
        ]
        assert visit.page.input_value("#model") == "small-x2-test"
        visit.page.uncheck("#on-device", force=True)
        assert options.all_inner_texts() == ["auto: fits the picture", "upsample-s-x2", "small-x2-test"]


@pytest.mark.slow
def test_no_model_in_float32(browser: Any, running: Any, runtime: Path) -> None:
    models = (CATALOGUE["upsample-s-x2"].reduced,)
    with running(models=models, web_runtime=runtime) as service, visiting(browser, str(service.base_url)) as visit:
        assert visit.page.inner_text("#error") == (
            "None of these models can be computed on this device: it computes in int8, and the device computes in float32 "
            "only. Choose an .onnx file of yours, or let the server compute."
        )


@pytest.mark.slow
def test_a_model_of_the_user(browser: Any, server: Any, photograph: Any, small: Path, without_contract: Path) -> None:
    kind = "application/octet-stream"
    with visiting(browser, str(server.base_url)) as visit:
        assert visit.refusal(without_contract.read_bytes(), "bare.onnx", kind).startswith(
            "The model bare.onnx carries no contract, so the page does not know how to cut a picture for it. Run upconv export"
        )
        assert visit.refusal(b"text", "text.onnx", kind).startswith("The file text.onnx is no .onnx file, or it is damaged.")
        reduced = CATALOGUE["upsample-s-x2"].reduced.read_bytes()
        assert visit.refusal(reduced, "reduced.onnx", kind).startswith(
            "The model reduced.onnx cannot be computed on this device: it computes in int8"
        )
        visit.choose(small.read_bytes(), "mine.onnx", kind)
        visit.page.wait_for_selector("#model option[value='mine.onnx']:checked", state="attached")
        assert visit.page.is_hidden("#error")
        note, _ = visit.enlarge(png(photograph(16, 20)))
        assert "It was not compared with a server: the model is a file of yours." in note
        visit.page.uncheck("#on-device", force=True)
        assert visit.page.input_value("#model") == "small-x2-test"
        assert "mine.onnx (this device only)" in visit.page.locator("#model option").all_inner_texts()
        assert visit.refusal(small.read_bytes(), "mine.onnx", kind) == (
            "The file mine.onnx is a model. Switch on “On this device” to compute with it."
        )


def blank(width: int, height: int) -> bytes:
    """Return a white PNG file of one bit per pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    rows = zlib.compress((b"\0" + b"\xff" * -(-width // 8)) * height)
    head = width.to_bytes(4) + height.to_bytes(4) + bytes((1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_pictures_that_the_device_cannot_take(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(browser, str(server.base_url)) as visit:
        assert visit.refusal(blank(5000, 5001)).startswith(
            "This picture would become 10000 × 10002 pixels on its way, and the page"
        )
        assert visit.refusal(b"text").startswith(
            "This browser cannot read the picture: it is damaged, too large, or in a format"
        )
        note, _ = visit.enlarge(png(photograph(16, 20)))
        assert "WebAssembly" in note, "the page goes on after an error"


@pytest.mark.slow
def test_no_memory(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(browser, str(server.base_url)) as visit:
        visit.page.route(
            "**/upscaling.js",
            lambda route: route.fulfill(
                response=(response := route.fetch()),
                body=response.text().replace("new Uint8ClampedArray(4 *", "new Uint8ClampedArray(1e15 *"),
            ),
        )
        text = visit.refusal(png(photograph(16, 20)))
    assert text == "This device has no memory for a picture of 40 × 32 pixels. Choose a smaller picture or scale."


@pytest.mark.slow
def test_switching_off_forgets_the_picture(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(browser, str(server.base_url)) as visit:
        visit.enlarge(png(photograph(16, 20)))
        visit.page.uncheck("#on-device", force=True)
        assert visit.page.is_visible("#drop")
        visit.page.check("input[name=scale][value='3']", force=True)
        visit.page.wait_for_timeout(200)
        assert visit.page.is_hidden("#work")


@pytest.mark.slow
def test_cancel(browser: Any, server: Any, photograph: Any) -> None:
    with visiting(browser, str(server.base_url)) as visit:
        visit.page.select_option("#model", "upsample-s-x2")
        visit.choose(png(photograph(1200, 1600)), "large.png", "image/png")
        visit.page.wait_for_selector("#step:text('Enlarging')", timeout=60_000)
        visit.page.click("#cancel")
        assert visit.page.is_visible("#drop")
        note, pixels = visit.enlarge(png(photograph(16, 20)))
        assert pixels.shape == (32, 40, 3)
        assert "WebAssembly" in note


@pytest.mark.slow
def test_key(browser: Any, running: Any, runtime: Path, small: Path, photograph: Any) -> None:
    with running(models=(small,), workers=1, web_runtime=runtime, api_keys="ann:ann-0123456789abcdef") as service:
        context = browser.new_context()
        page = context.new_page()
        page.goto(str(service.base_url))
        page.wait_for_selector("#error:text('An API key is required')")
        page.fill("#key", "ann-0123456789abcdef")
        page.press("#key", "Tab")
        page.wait_for_selector("#model option", state="attached")
        page.check("#on-device", force=True)
        note, _ = Visit(page, str(service.base_url)).enlarge(png(photograph(16, 20)))
        assert distance(note) <= EQUAL
        context.close()


def test_without_the_folder_there_is_no_switch(browser: Any, client: Any) -> None:
    with visiting(browser, str(client.base_url), switch=False) as visit:
        assert visit.page.is_hidden("#device")
        assert not visit.page.evaluate("crossOriginIsolated")


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_accessible(browser: Any, server: Any, photograph: Any, scheme: str) -> None:
    axe = next((path for base in (Path(NPM), Path(NPM).parent) for path in base.rglob("axe-core/axe.min.js")), None)
    if axe is None:
        pytest.skip("axe-core is not beside onnxruntime-web; npm install axe-core")
    script = axe.read_text()

    def violations(page: Any) -> list[str]:
        page.evaluate(script)
        found = page.evaluate("axe.run(document).then((result) => result.violations)")
        return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]

    with visiting(browser, str(server.base_url), switch=False) as visit:
        visit.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert violations(visit.page) == []
        visit.page.check("#on-device", force=True)
        assert violations(visit.page) == []
        visit.enlarge(png(photograph(64, 96)))
        assert violations(visit.page) == []
        visit.refusal(b"text")
        assert violations(visit.page) == []
