"""Requests as clients of sd-webui send them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from upconv.runtime import Upscaler, codecs

PATH = "/sdapi/v1/extra-single-image"
KEY = "ann-0123456789abcdef"
WHOLE = {
    "resize_mode": 0,
    "show_extras_results": True,
    "gfpgan_visibility": 0,
    "codeformer_visibility": 0,
    "codeformer_weight": 0,
    "upscaling_resize": 2,
    "upscaling_resize_w": 512,
    "upscaling_resize_h": 512,
    "upscaling_crop": True,
    "upscaler_1": "nearest-x2-test",
    "upscaler_2": "None",
    "extras_upscaler_2_visibility": 0,
    "upscale_first": False,
}
"""Every field of sd-webui, with its defaults, as its Python clients send them."""


@pytest.fixture(scope="module")
def webui(running: Callable[..., Any], nearest_x2: Any) -> Iterator[Any]:
    """A service with these routes and with a key."""
    with running(models=(nearest_x2,), workers=1, sd_webui=True, api_keys=f"ann:{KEY}", max_bytes=20_000) as service:
        service.headers["X-API-Key"] = KEY
        yield service


@pytest.fixture
def image(encoded: Callable[..., bytes]) -> str:
    return base64.b64encode(encoded()).decode()


def size(answer: Any) -> tuple[int, int]:
    picture = codecs.decode(base64.b64decode(answer.json()["image"], validate=True))
    return picture.width, picture.height


def test_off_by_default(client: Any, image: str) -> None:
    assert client.post(PATH, json={"image": image}).status_code == 404
    assert client.get("/sdapi/v1/upscalers").status_code == 404
    assert PATH not in client.get("/openapi.json").json()["paths"]


def test_gives_what_the_runtime_gives(webui: Any, nearest_x2: Any, encoded: Callable[..., bytes], image: str) -> None:
    answer = webui.post(PATH, json={**WHOLE, "image": image})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (answer.json().keys(), answer.json()["html_info"]) == ({"html_info", "image"}, "")
    assert answer.headers["x-upconv-model"] == "nearest-x2-test"
    with Upscaler(nearest_x2, workers=1) as upscaler:
        expected = upscaler.upscale(encoded())
    result = base64.b64decode(answer.json()["image"])
    np.testing.assert_array_equal(codecs.decode(result).samples, codecs.decode(expected).samples)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, (40, 24)),
        ({"resize_mode": 0, "show_extras_results": True, "upscaling_resize": 3, "upscaler_1": "None"}, (60, 36)),
        ({"upscaling_resize": 1.5, "upscaler_1": ""}, (30, 18)),
        ({"resize_mode": 1, "upscaling_resize_w": 60, "upscaling_resize_h": 36, "upscaler_1": "nearest-x2-test"}, (60, 36)),
        ({"resize_mode": 1, "upscaling_resize_w": 61, "upscaling_resize_h": 36}, (61, 36)),
        ({"resize_mode": 1, "upscaling_resize_w": 60, "upscaling_resize_h": 60, "upscaling_crop": False}, (100, 60)),
        ({"upscaler_2": "nearest-x2-test", "codeformer_weight": 0.5, "upscale_first": True}, (40, 24)),
    ],
)
def test_sizes(webui: Any, image: str, asked: dict[str, Any], expected: tuple[int, int]) -> None:
    answer = webui.post(PATH, json={**asked, "image": image})
    assert (answer.status_code, size(answer)) == (200, expected)


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_data_urls_become_png(webui: Any, encoded: Callable[..., bytes], format: str) -> None:
    given = f"data:image/{format};base64,{base64.b64encode(encoded(format)).decode()}"
    answer = webui.post(PATH, json={"image": given})
    assert codecs.sniff(base64.b64decode(answer.json()["image"])) == "png"
    assert size(answer) == (40, 24)


@pytest.mark.parametrize(
    ("asked", "status", "slug", "part"),
    [
        ({"gfpgan_visibility": 0.5}, 422, "bad-parameter", "faces are not restored"),
        ({"codeformer_visibility": 1}, 422, "bad-parameter", "faces are not restored"),
        ({"upscaler_2": "Lanczos", "extras_upscaler_2_visibility": 0.5}, 422, "bad-parameter", "not blended"),
        ({"upscaler_1": "R-ESRGAN 4x+"}, 404, "unknown-model", "nearest-x2-test"),
        ({"upscaling_resize": 0.5}, 422, "bad-parameter", "upscaling_resize"),
        ({"upscaling_resize": 17}, 422, "bad-parameter", "upscaling_resize"),
        ({"resize_mode": 2}, 422, "bad-parameter", "resize_mode"),
        ({"resize_mode": 1}, 422, "bad-parameter", "cannot become"),
        ({"resize_mode": 1, "upscaling_resize_w": 60, "upscaling_resize_h": 60}, 422, "bad-parameter", "100x60"),
        ({"rembg_model": "u2net"}, 422, "bad-parameter", "rembg_model"),
        ({"image": ""}, 422, "damaged-image", "empty"),
        ({"image": "data:image/png;base64,"}, 422, "damaged-image", "empty"),
        ({"image": "https://pictures.example.com/in.png"}, 422, "bad-parameter", "URL"),
        ({"image": "abcde"}, 422, "bad-parameter", "base64"),
        ({"image": "é"}, 422, "bad-parameter", "base64"),
        ({"image": "AAAA"}, 415, "not-an-image", ""),
        ({"image": 3}, 422, "bad-parameter", "image"),
        ({"image": "A" * 20_000}, 413, "too-many-bytes", ""),
    ],
)
def test_refusals(webui: Any, image: str, asked: dict[str, Any], status: int, slug: str, part: str) -> None:
    answer = webui.post(PATH, json={"image": image, **asked})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/docs#{slug}"), answer.text
    assert part in answer.json()["detail"]
    assert (webui.state.admission.pictures, webui.state.admission.bytes) == (0, 0)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"null"])
def test_bodies_that_are_no_request(webui: Any, content: bytes) -> None:
    answer = webui.post(PATH, content=content)
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#bad-parameter")


def test_upscalers(webui: Any) -> None:
    (entry,) = webui.get("/sdapi/v1/upscalers").json()
    assert entry == {"name": "nearest-x2-test", "model_name": None, "model_path": None, "model_url": None, "scale": 2}


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        (f"Bearer {KEY}", 200),
        ("Basic " + base64.b64encode(f"anyone:{KEY}".encode()).decode(), 200),
        ("Basic " + base64.b64encode(b"ann:wrong").decode(), 401),
        ("Basic é!", 401),
    ],
)
def test_keys(webui: Any, authorization: str | None, status: int) -> None:
    headers = {"X-API-Key": ""} if authorization is None else {"X-API-Key": "", "Authorization": authorization.encode()}
    assert webui.get("/sdapi/v1/upscalers", headers=headers).status_code == status
    if "Basic" in str(authorization):
        assert webui.get("/v1/models", headers=headers).status_code == 401, "only here"


def test_work_ends_with_the_connection(
    webui: Any, image: str, gate: Any, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    import httpx

    gate.tiles = 0
    with pytest.raises(httpx.ReadTimeout):
        webui.post(PATH, json={"image": image}, timeout=0.5)
    gate.opened.set()
    wait_until(lambda: webui.state.admission.pictures == 0)
    assert webui.state.threads.borrowed_tokens == 0


def test_description(webui: Any) -> None:
    described = webui.get("/openapi.json").json()
    assert {"ExtraSingleImage", "ExtraSingleImageResult", "NamedUpscaler"} <= described["components"]["schemas"].keys()
    assert described["paths"][PATH]["post"]["x-codeSamples"]
