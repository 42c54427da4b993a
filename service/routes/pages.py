"""The page at `/`, the reference at `/docs`, and their files.

They need no build step and no third-party host.

FastAPI's own /docs loads its scripts from a third-party host, and a bundled Swagger UI takes megabytes and needs inline
styles. `docs.js` shows the same content from `/openapi.json` under the strict policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from upconv.service import cache, web_page
from upconv.service.web_page import FOLDER, ON_DEVICE_HEADERS, RUNTIME_PATH
from upconv.service.web_runtime import FILES, WebRuntime

_REVALIDATED = {"Cache-Control": "no-cache"}


def mount(app: FastAPI, runtime: WebRuntime | None = None) -> None:
    """Serve the pages and their files, and with `runtime` those with which the page computes on the device."""
    headers = {} if runtime is None else ON_DEVICE_HEADERS
    router = APIRouter(include_in_schema=False)
    text = web_page.index(runtime=runtime is not None)

    @router.get("/")
    async def index() -> HTMLResponse:
        return HTMLResponse(text, headers={**_REVALIDATED, **headers})

    @router.get("/docs")
    async def docs() -> FileResponse:
        return FileResponse(FOLDER / "docs.html", headers=_REVALIDATED)

    if runtime is not None:

        @router.get(f"/{RUNTIME_PATH}/{{name}}")
        async def runtime_file(name: str, request: Request) -> Response:
            return _runtime_file(runtime, name, request)

    app.include_router(router)
    app.mount("/web", _PageFiles(headers), name="web")


class _PageFiles(StaticFiles):
    """The files of the page, with headers of their own."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__(directory=FOLDER)
        self._headers = headers

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(self._headers)
        return response


def _runtime_file(runtime: WebRuntime, name: str, request: Request) -> Response:
    """Return a file of the runtime, compressed if the client accepts gzip: the largest one has a quarter of the bytes then."""
    if name not in FILES:
        raise HTTPException(404)
    path, compressed = runtime.folder / name, runtime.compressed(name)
    packed = "gzip" in request.headers.get("accept-encoding", "") and compressed.is_file()
    headers: dict[str, Any] = {
        **_REVALIDATED,
        **ON_DEVICE_HEADERS,
        "ETag": f'"{runtime.sha256[name]}{"-gzip" if packed else ""}"',
        "Vary": "Accept-Encoding",
        **({"Content-Encoding": "gzip"} if packed else {}),
    }
    if cache.matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return FileResponse(compressed if packed else path, media_type=FILES[name], headers=headers)
