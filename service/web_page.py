"""The page: its files, its address of the runtime, and the headers that it is sent with."""

from __future__ import annotations

from pathlib import Path

from upconv.service.request_log import SECURITY_HEADERS

FOLDER = Path(__file__).parent / "web"
"""The files of the page."""

RUNTIME_PATH = "web-runtime"
"""The path of the files of onnxruntime-web, relative to the page."""

ON_DEVICE_HEADERS = {
    "Content-Security-Policy": SECURITY_HEADERS["Content-Security-Policy"].replace(
        "script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
"""The headers of the page and its files if it can compute on the device. WebAssembly is allowed, and the page is isolated from
other origins, because browsers give threads to isolated pages only."""

_BODY = "<body data-server>"


def index(*, server: bool = True, runtime: bool = False) -> str:
    """Return the page. `server` is true if a service answers beside it, and `runtime` if it can compute on the device."""
    attributes = [*(["data-server"] if server else []), *([f'data-runtime="{RUNTIME_PATH}/"'] if runtime else [])]
    text = (FOLDER / "index.html").read_text(encoding="utf-8")
    assert _BODY in text
    return text.replace(_BODY, " ".join(["<body", *attributes]) + ">")
