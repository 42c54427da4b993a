"""The routes for operating the service: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from upconv.runtime.remote import EndpointReport
from upconv.runtime.spot_proof import SpotProof
from upconv.service.metrics import MEDIA_TYPE_TEXT
from upconv.service.routes.dependencies import Shared
from upconv.service.state import ServiceState

router = APIRouter(tags=["operation"])


class Liveness(BaseModel):
    """The liveness of the process."""

    status: Literal["live"] = "live"


class ReadyModel(BaseModel):
    """A warm model."""

    name: str
    provider: str
    """The execution provider in use, or `remote`."""
    proof: SpotProof | None = None
    """Its difference from the processor on a tile of a photograph; null on the processor."""
    endpoints: list[EndpointReport] = []
    """The servers that compute its tiles; empty if this one does."""


class FailingTask(BaseModel):
    """A task beside the server whose last attempt failed. Pictures are served meanwhile."""

    task: str
    error: str
    since: datetime


class Readiness(BaseModel):
    """The readiness of the service."""

    status: Literal["ready", "loading", "draining", "device-lost", "no-endpoint"]
    models: list[ReadyModel] = []
    refused: list[str] = []
    """The names of model files that cannot be used; `/v1/models` has the reasons."""
    failing: list[FailingTask] = []


@router.get("/healthz", summary="Check that the process is alive")
async def live() -> Liveness:
    """Return 200 always."""
    return Liveness()


@router.get(
    "/readyz", summary="Check that pictures are accepted", responses={503: {"model": Readiness, "description": "Not ready"}}
)
async def ready(state: Shared, response: Response) -> Readiness:
    """Return 200 if all models are warm, their devices or endpoints answer and the service is not stopping, otherwise 503."""
    if state.registry is None or not state.ready:
        response.status_code = 503
        return Readiness(status=_unready(state), models=_models(state), failing=_failing(state))
    return Readiness(
        status="ready", models=_models(state), refused=[path.name for path in state.registry.refused], failing=_failing(state)
    )


def _models(state: ServiceState) -> list[ReadyModel]:
    entries = () if state.registry is None else state.registry.entries.values()
    return [
        ReadyModel(name=entry.name, provider=entry.provider, proof=entry.model.proof, endpoints=list(entry.endpoints))
        for entry in entries
    ]


def _unready(state: ServiceState) -> Literal["loading", "draining", "device-lost", "no-endpoint"]:
    if state.draining:
        return "draining"
    if state.registry is None:
        return "loading"
    return "no-endpoint" if any(entry.endpoints for entry in state.registry.models) else "device-lost"


def _failing(state: ServiceState) -> list[FailingTask]:
    failing = state.supervisor.failing.items()
    return [FailingTask(task=name, error=each.error, since=datetime.fromtimestamp(each.since, UTC)) for name, each in failing]


@router.get(
    "/metrics",
    summary="Get the metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
)
async def read(state: Shared) -> Response:
    """Return all metrics in the text format of Prometheus."""
    return Response(state.metrics.text(), media_type=MEDIA_TYPE_TEXT)
