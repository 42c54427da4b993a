"""The routes under `/v2`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from upconv.runtime.errors import ParameterError
from upconv.service import body, reloading
from upconv.service.access import expect_admin
from upconv.service.errors import UnsupportedError
from upconv.service.inference_protocol import metadata
from upconv.service.inference_protocol.messages import (
    IndexEntry,
    ModelMetadata,
    ModelReady,
    RepositoryOrder,
    ServerLive,
    ServerMetadata,
    ServerReady,
)
from upconv.service.openapi import INFER_ANSWER, INFER_BODY, failures
from upconv.service.registry import ServedModel
from upconv.service.routes import inference_call
from upconv.service.routes.dependencies import Shared, Until
from upconv.service.state import ServiceState

router = APIRouter(prefix="/v2", tags=["inference protocol"])

_NOT_SERVED = (
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


@router.post("/repository/index", summary="List the models", responses=failures(400, 408, 413, 503))
async def index(request: Request, state: Shared) -> list[IndexEntry]:
    """Return all models, loaded or not. A body is not needed; with `{"ready": true}`, only loaded models are returned."""
    order = await _order(request, state)
    return [entry for entry in metadata.index(state.models) if entry.state == "READY" or not order.ready]


@router.post("/repository/models/{model}/load", summary="Load a model", responses=failures(400, 403, 404, 408, 413, 501, 503))
async def load(model: str, request: Request, state: Shared) -> dict[str, str]:
    """Load a model that was unloaded, or whose file is new, changed or was refused. This needs the scope `models`."""
    expect_admin(request)
    if (await _order(request, state)).parameters:
        raise UnsupportedError("a model cannot be sent with the request; put its file into a folder of the service")
    await reloading.load_model(state, model)
    return {}


@router.post("/repository/models/{model}/unload", summary="Unload a model", responses=failures(400, 403, 404, 503))
async def unload(model: str, request: Request, state: Shared) -> dict[str, str]:
    """Unload all versions of a model until it is loaded again or the service restarts. This needs the scope `models`."""
    expect_admin(request)
    await reloading.unload_model(state, model)
    return {}


async def _order(request: Request, state: ServiceState) -> RepositoryOrder:
    """Return the body of a request, which Triton's clients send without a Content-Type."""
    with state.admission.reading() as ticket:
        data = await body.read(request, state.settings, ticket)
    try:
        return RepositoryOrder.model_validate_json(data or b"{}")
    except ValidationError as error:
        raise ParameterError("the body must be empty or a JSON object with ready or parameters") from error


@router.get("/models/stats", summary="Get the statistics of all models", responses=failures(503))
async def all_statistics(state: Shared) -> dict[str, Any]:
    """Return counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(entry.name, entry.version) for entry in state.models.models]}


def _by_name(model: str, request: Request, state: Shared) -> None:
    request.state.entry = state.models.entry(model)


def _by_version(model: str, version: str, request: Request, state: Shared) -> None:
    request.state.entry = state.models.entry(model, version)


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


async def _model(entry: _Chosen, state: Shared) -> ModelMetadata:
    """Return the name, versions, platform and tensors of a model. -1 is an axis of any length."""
    return metadata.of_model(entry, state.models.versions(entry.name), state.settings.max_in_work)


async def _model_ready(entry: _Chosen) -> ModelReady:
    """Return 200 for every loaded model, because loaded models are warm."""
    return ModelReady(name=entry.name, ready=True)


async def _configuration(entry: _Chosen) -> dict[str, Any]:
    """Return the model configuration of Triton."""
    return metadata.configuration(entry)


async def _statistics(entry: _Chosen, state: Shared) -> dict[str, Any]:
    """Return counts and times since the start of the service."""
    return {"model_stats": [state.statistics.of(entry.name, entry.version)]}


async def _infer(request: Request, entry: _Chosen, state: Shared, until: Until) -> Response:
    """Compute tensors, as JSON or binary. Models that upscale also accept BYTES: each element is an image file."""
    return await inference_call.answer(request, entry, state, until)


async def _not_served(request: Request) -> Response:
    raise UnsupportedError(f"{request.url.path[:80]} is not supported by this service")


for _path in _NOT_SERVED:
    router.add_api_route(_path, _not_served, methods=["GET", "POST"], include_in_schema=False)
router.include_router(_of_one_model("/models/{model}", _by_name))
router.include_router(_of_one_model("/models/{model}/versions/{version}", _by_version))
