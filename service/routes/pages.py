"""The page at `/`, the reference at `/docs`, and their files, without a build step and without third parties.

FastAPI's own /docs loads scripts from a third-party host. A bundled Swagger UI has several megabytes and needs inline
styles. `docs.js` shows the same facts from `/openapi.json` under the strict policy.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parents[1] / "web"

router = APIRouter(include_in_schema=False)


@router.get("/")
async def index() -> FileResponse:
    """The page for upscaling a picture in the browser."""
    return FileResponse(FOLDER / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/docs")
async def docs() -> FileResponse:
    """The reference of all routes."""
    return FileResponse(FOLDER / "docs.html", headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Serve the pages and their files."""
    app.include_router(router)
    app.mount("/web", StaticFiles(directory=FOLDER), name="web")
