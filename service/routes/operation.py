"""The routes for operators: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from upconv.service.metrics import MEDIA_TYPE_TEXT
from upconv.service.routes.dependencies import Shared

router = APIRouter(tags=["operation"])


class Liveness(BaseModel):
    """The answer of a running process."""

    status: Literal["live"] = "live"


class ReadyModel(BaseModel):
    """A warm model."""

    name: str
    provider: str
    """The execution provider that is in use."""


class Readiness(BaseModel):
    """The readiness of the service."""

    status: Literal["ready", "loading", "draining"]
    models: list[ReadyModel] = []


@router.get("/healthz", summary="Whether the process lives")
async def live() -> Liveness:
    """Always 200."""
    return Liveness()


@router.get("/readyz", summary="Whether pictures can be sent", responses={503: {"model": Readiness, "description": "Not now"}})
async def ready(state: Shared, response: Response) -> Readiness:
    """200 if all models are warm and the service is not about to stop, otherwise 503."""
    if state.registry is None or not state.ready:
        response.status_code = 503
        return Readiness(status="draining" if state.draining else "loading")
    entries = state.registry.entries.values()
    return Readiness(status="ready", models=[ReadyModel(name=entry.name, provider=entry.model.provider) for entry in entries])


@router.get(
    "/metrics", summary="Numbers for Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
)
async def read(state: Shared) -> Response:
    """Every metric in Prometheus' text format."""
    return Response(state.metrics.text(), media_type=MEDIA_TYPE_TEXT)
