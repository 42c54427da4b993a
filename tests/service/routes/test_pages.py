from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest

from upconv.runtime.errors import ParameterError
from upconv.service import Settings, create_app, web_page, web_runtime
from upconv.service.request_log import SECURITY_HEADERS

RUNTIME = {name: b"\0asm...." if name.endswith(".wasm") else b"export {};" for name in web_runtime.FILES}
FILES = sorted(path for path in web_page.FOLDER.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_and_all_it_refers_to(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href)="([^"#]*)"', answer.text)
    assert {"web/page.css", "web/icon.svg"} <= set(links), "they are relative, because a proxy may serve the page under a path"
    for link in links:
        assert client.get(urljoin(path, link)).status_code == 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.js", "text/javascript"), ("page.css", "text/css"), ("icon.svg", "image/svg+xml"), ("index.html", "text/html")],
)
def test_kinds(client: httpx.Client, name: str, kind: str) -> None:
    assert client.get(f"/web/{name}").headers["content-type"].startswith(kind)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_third_party_and_nothing_inline(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|['\"(]//", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
    assert "innerHTML" not in text
    assert "eval(" not in text


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """A folder as `upconv web-runtime` makes it, of tiny files."""
    package = tmp_path / "onnxruntime-web"
    (package / "dist").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "onnxruntime-web", "version": "1.2.3"}))
    for name, content in RUNTIME.items():
        (package / "dist" / name).write_bytes(content)
    return web_runtime.write_runtime(package, tmp_path / "runtime").folder


def test_usual_page_is_not_isolated(client: httpx.Client) -> None:
    for path in ("/", "/web/page.js"):
        answer = client.get(path)
        assert answer.headers["Content-Security-Policy"] == SECURITY_HEADERS["Content-Security-Policy"]
        assert "Cross-Origin-Embedder-Policy" not in answer.headers
    assert client.get("/web-runtime/ort.webgpu.min.mjs").status_code == 404
    assert "data-runtime" not in client.get("/").text


def test_page_that_computes_on_the_device(client_with: Callable[..., Any], runtime: Path) -> None:
    with client_with(web_runtime=runtime) as client:
        assert 'data-runtime="web-runtime/"' in client.get("/").text
        for path in ("/", "/web/page.js", *(f"/web-runtime/{name}" for name in RUNTIME)):
            headers = client.get(path).headers
            assert {name: headers[name] for name in web_page.ON_DEVICE_HEADERS} == web_page.ON_DEVICE_HEADERS
        for path in ("/docs", "/v1/models", "/healthz"):
            assert client.get(path).headers["Content-Security-Policy"] == SECURITY_HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(("name", "content"), RUNTIME.items())
def test_runtime_files(client_with: Callable[..., Any], runtime: Path, name: str, content: bytes) -> None:
    with client_with(web_runtime=runtime) as client:
        plain = client.get(f"/web-runtime/{name}", headers={"Accept-Encoding": "identity"})
        assert (plain.content, plain.headers["Content-Type"].split(";")[0]) == (content, web_runtime.FILES[name])
        packed = client.get(f"/web-runtime/{name}")
        assert (packed.content, packed.headers["Content-Encoding"], packed.headers["Vary"]) == (
            content,
            "gzip",
            "Accept-Encoding",
        )
        assert int(packed.headers["Content-Length"]) == len(gzip.compress(content, mtime=0))
        assert packed.headers["ETag"] != plain.headers["ETag"]
        for answer, accepted in ((plain, "identity"), (packed, "gzip")):
            headers = {"If-None-Match": answer.headers["ETag"], "Accept-Encoding": accepted}
            assert client.get(f"/web-runtime/{name}", headers=headers).status_code == 304
        assert client.get("/web-runtime/runtime.json").status_code == 404, "only what the page needs"


def test_runtime_that_cannot_be_used(nearest_x2: Path, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="holds no files of onnxruntime-web that upconv wrote"):
        create_app(Settings(models=(nearest_x2,), web_runtime=tmp_path))
