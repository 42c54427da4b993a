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


@router.get("", summary="What this service is")
@router.get("/", include_in_schema=False)
async def server() -> ServerMetadata:
    """Name, version and the supported extensions of the protocol."""
    return metadata.of_server()


@router.get("/health/live", summary="Whether the process lives")
async def live() -> ServerLive:
    """Always 200."""
    return ServerLive()


@router.get(
    "/health/ready", summary="Whether requests can be sent", responses={503: {"model": ServerReady, "description": "Not now"}}
)
async def ready(state: Shared, response: Response) -> ServerReady:
    """200 if all models are warm and the service is not about to stop, otherwise 503."""
    response.status_code = 200 if state.ready else 503
    return ServerReady(ready=state.ready)


@router.post("/repository/index", summary="The models", responses=failures(503))
async def index(state: Shared) -> list[IndexEntry]:
    """Every loaded model. A body is not needed."""
    return [IndexEntry(name=name, version=VERSION, state="READY") for name in state.models.entries]


@router.get("/models/stats", summary="What all models have done", responses=failures(503))
async def all_statistics(state: Shared) -> dict[str, Any]:
    """Counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(name) for name in state.models.entries]}


def _newest(model: str, request: Request, state: Shared) -> None:
    request.state.entry = state.models.entry(model)


def _by_version(model: str, version: str, request: Request, state: Shared) -> None:
    if version != VERSION:
        raise UnknownModelError(f"there is no version {version[:40]!r} of {model[:200]!r}; the one there is, is {VERSION}")
    request.state.entry = state.models.entry(model)


def _chosen(request: Request) -> ServedModel:
    entry: ServedModel = request.state.entry
    return entry


_Chosen = Annotated[ServedModel, Depends(_chosen)]


def _of_one_model(prefix: str, choose: Callable[..., None]) -> APIRouter:
    routes = APIRouter(prefix=prefix, dependencies=[Depends(choose)])
    routes.get("", summary="What a model is", responses=failures(404, 503))(_model)
    routes.get("/ready", summary="Whether a model is warm", responses=failures(404, 503))(_model_ready)
    routes.get("/config", summary="A model's configuration", responses=failures(404, 503))(_configuration)
    routes.get("/stats", summary="What a model has done", responses=failures(404, 503))(_statistics)
    routes.post(
        "/infer",
        summary="Compute outputs from inputs",
        response_class=Response,
        responses={**INFER_ANSWER, **failures(400, 404, 408, 413, 501, 503)},
        openapi_extra=INFER_BODY,
    )(_infer)
    return routes


async def _model(entry: _Chosen) -> ModelMetadata:
    """Name, versions, platform and tensors. -1 marks axes of any length."""
    return metadata.of_model(entry)


async def _model_ready(entry: _Chosen) -> ModelReady:
    """200 for every loaded model, because models are warmed before they are loaded."""
    return ModelReady(name=entry.name, ready=True)


async def _configuration(entry: _Chosen) -> dict[str, Any]:
    """The configuration that Triton's tools read."""
    return metadata.configuration(entry)


async def _statistics(entry: _Chosen, state: Shared) -> dict[str, Any]:
    """Counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(entry.name)]}


async def _infer(request: Request, entry: _Chosen, state: Shared, until: Until) -> Response:
    """Tensors as JSON or binary. An upscaler also takes BYTES, with one image file per element."""
    return await inference_call.answer(request, entry, state, until)


async def _not_served(request: Request) -> Response:
    raise UnsupportedError(f"{request.url.path[:80]} is not served; models are files, picked up by POST /v1/models/reload")


for _path in _NOT_SERVED:
    router.add_api_route(_path, _not_served, methods=["GET", "POST"], include_in_schema=False)
router.include_router(_of_one_model("/models/{model}", _newest))
router.include_router(_of_one_model("/models/{model}/versions/{version}", _by_version))
