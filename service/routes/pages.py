"""The page at `/`, the reference at `/docs`, and their files.

They need no build step and no third-party host.

FastAPI's own /docs loads its scripts from a third-party host, and a bundled Swagger UI takes megabytes and needs inline
styles. `docs.js` shows the same content from `/openapi.json` under the strict policy.
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
    """Return the page that upscales pictures."""
    return FileResponse(FOLDER / "index.html", headers={"Cache-Control": "no-cache"})


@router.get("/docs")
async def docs() -> FileResponse:
    """Return the reference of all routes."""
    return FileResponse(FOLDER / "docs.html", headers={"Cache-Control": "no-cache"})


def mount(app: FastAPI) -> None:
    """Serve the pages and their files."""
    app.include_router(router)
    app.mount("/web", StaticFiles(directory=FOLDER), name="web")
