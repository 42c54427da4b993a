"""The routes under `/v2`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from upconv.service.errors import UnknownModelError, UnsupportedError
from upconv.service.inference_protocol import metadata
from upconv.service.inference_protocol.messages import (
    VERSION,
    IndexEntry,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from upconv.service.openapi import INFER_ANSWER, INFER_BODY, failures
from upconv.service.registry import ServedModel
from upconv.service.routes import inference_call
from upconv.service.routes.dependencies import Shared, Until

router = APIRouter(prefix="/v2", tags=["inference protocol"])

_NOT_SERVED = (
    "/repository/models/{model}/load",
    "/repository/models/{model}/unload",
    "/models/{model}/trace/setting",
    "/trace/setting",
    "/logging",
    "/systemsharedmemory/{rest:path}",
    "/cudasharedmemory/{rest:path}",
)


@router.get("", summary="Get the metadata of the service")
@router.get("/", include_in_schema=False)
async def server() -> ServerMetadata:
    """Return the name, the version and the supported extensions of the protocol."""
    return metadata.of_server()


@router.get("/health/live", summary="Check that the process is alive")
async def live() -> ServerLive:
    """Return 200 always."""
    return ServerLive()


@router.get(
    "/health/ready",
    summary="Check that requests are accepted",
    responses={503: {"model": ServerReady, "description": "Not ready"}},
)
async def ready(state: Shared, response: Response) -> ServerReady:
    """Return 200 if all models are warm and the service is not stopping, otherwise 503."""
    response.status_code = 200 if state.ready else 503
    return ServerReady(ready=state.ready)


@router.post("/repository/index", summary="List the models", responses=failures(503))
async def index(state: Shared) -> list[IndexEntry]:
    """Return all loaded models. A body is not needed."""
    return [IndexEntry(name=name, version=VERSION, state="READY") for name in state.models.entries]


@router.get("/models/stats", summary="Get the statistics of all models", responses=failures(503))
async def all_statistics(state: Shared) -> dict[str, Any]:
    """Return counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(name) for name in state.models.entries]}


def _by_name(model: str, request: Request, state: Shared) -> None:
    request.state.entry = state.models.entry(model)


def _by_version(model: str, version: str, request: Request, state: Shared) -> None:
    if version != VERSION:
        raise UnknownModelError(f"there is no version {version[:40]!r} of {model[:200]!r}; the only version is {VERSION}")
    request.state.entry = state.models.entry(model)


def _chosen(request: Request) -> ServedModel:
    entry: ServedModel = request.state.entry
    return entry


_Chosen = Annotated[ServedModel, Depends(_chosen)]


def _of_one_model(prefix: str, choose: Callable[..., None]) -> APIRouter:
    routes = APIRouter(prefix=prefix, dependencies=[Depends(choose)])
    routes.get("", summary="Get the metadata of a model", responses=failures(404, 503))(_model)
    routes.get("/ready", summary="Check that a model is ready", responses=failures(404, 503))(_model_ready)
    routes.get("/config", summary="Get the configuration of a model", responses=failures(404, 503))(_configuration)
    routes.get("/stats", summary="Get the statistics of a model", responses=failures(404, 503))(_statistics)
    routes.post(
        "/infer",
        summary="Compute outputs from inputs",
        response_class=Response,
        responses={**INFER_ANSWER, **failures(400, 404, 408, 413, 501, 503)},
        openapi_extra=INFER_BODY,
    )(_infer)
    return routes


async def _model(entry: _Chosen) -> ModelMetadata:
    """Return the name, versions, platform and tensors of a model. -1 is an axis of any length."""
    return metadata.of_model(entry)


async def _model_ready(entry: _Chosen) -> ModelReady:
    """Return 200 for every loaded model, because loaded models are warm."""
    return ModelReady(name=entry.name, ready=True)


async def _configuration(entry: _Chosen) -> dict[str, Any]:
    """Return the model configuration of Triton."""
    return metadata.configuration(entry)


async def _statistics(entry: _Chosen, state: Shared) -> dict[str, Any]:
    """Return counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(entry.name)]}


async def _infer(request: Request, entry: _Chosen, state: Shared, until: Until) -> Response:
    """Compute tensors, as JSON or binary. Models that upscale also accept BYTES: each element is an image file."""
    return await inference_call.answer(request, entry, state, until)


async def _not_served(request: Request) -> Response:
    raise UnsupportedError(f"{request.url.path[:80]} is not supported; models are files, which POST /v1/models/reload loads")


for _path in _NOT_SERVED:
    router.add_api_route(_path, _not_served, methods=["GET", "POST"], include_in_schema=False)
router.include_router(_of_one_model("/models/{model}", _by_name))
router.include_router(_of_one_model("/models/{model}/versions/{version}", _by_version))
