"""`/v1/models`: listing and reloading the models."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from upconv.runtime import Contract
from upconv.runtime.remote import EndpointReport
from upconv.runtime.spot_proof import SpotProof
from upconv.service import cache
from upconv.service.access import expect_admin
from upconv.service.errors import ForbiddenError, ModelFileChangedError
from upconv.service.model_files import signature
from upconv.service.openapi import MODEL_FILE, NOT_MODIFIED, PART_OF_FILE, problems
from upconv.service.registry import Registry, ServedModel
from upconv.service.reloading import load_model, replace_models, set_default, unload_model
from upconv.service.routes.dependencies import Shared
from upconv.service.sending import ResultFile

router = APIRouter(prefix="/v1", tags=["models"])


class LoadedModel(BaseModel):
    """A loaded model."""

    name: str
    version: str
    default: bool = Field(description="true if it is used when a request names no model")
    share: float = Field(description="the share of these requests that it takes, from 0 to 1")
    by_content: bool = Field(description="true if it may be chosen by the content of a picture, with model=auto")
    upscales: bool = Field(description="true if /v1/upscale accepts it")
    sha256: str = Field(description="SHA-256 of the model file")
    provider: str = Field(description="the execution provider in use, or remote")
    seconds_per_megapixel: float = Field(
        description="processor seconds for a million input pixels, from one tile that was timed when the model was loaded"
    )
    proof: SpotProof | None = Field(
        description="its difference from the processor on a tile of a photograph; null on the processor"
    )
    endpoints: list[EndpointReport] = Field(description="the servers that compute its tiles; empty if this one does")
    contract: Contract = Field(description="the contract in the model file")


class PictureLimits(BaseModel):
    """The limits on a picture, so that clients can tell them before they send one."""

    max_bytes: int = Field(description="most bytes of a request body")
    max_pixels: int = Field(description="most pixels of a picture that is decoded")
    max_output_pixels: int = Field(description="most pixels of a picture that is computed, for each pass and for the result")


class LoadedModels(BaseModel):
    """All loaded models."""

    models: list[LoadedModel]
    by_content: bool = Field(description="true if the content of a picture decides if a request names no model")
    limits: PictureLimits
    refused: dict[str, str] = Field(description="files that cannot be used, with the reason")
    on_trial: list[str] = Field(description="new files that are tried at the moment")


class Reloaded(BaseModel):
    """The result of a reload, by names of models."""

    models: list[str] = Field(description="all loaded models")
    loaded: list[str] = Field(description="new models")
    replaced: list[str] = Field(description="models with a changed file; running requests finish with the old model")
    removed: list[str]
    refused: dict[str, str] = Field(description="files that cannot be used, with the reason; the model loaded before stays")


@router.get("/models", summary="List the loaded models", responses=problems(401, 503))
async def models(state: Shared) -> LoadedModels:
    """Return the name, hash, provider, proof and contract of each loaded model, and the limits on pictures."""
    registry, settings = state.models, state.settings
    return LoadedModels(
        models=[_described(entry, registry) for entry in registry.models],
        by_content=registry.by_content and bool(registry.candidates) and not registry.shares,
        limits=PictureLimits(max_bytes=settings.max_bytes, **vars(settings.limits)),
        refused={str(path): reason for path, reason in registry.refused.items()},
        on_trial=list(map(str, registry.on_trial)),
    )


def _described(entry: ServedModel, registry: Registry) -> LoadedModel:
    shares = [(model is entry, share) for model, share in registry.defaults]
    share = sum(share for own, share in shares if own) / sum(share for _, share in shares) if shares else 0.0
    return LoadedModel(
        name=entry.name,
        version=entry.version,
        default=share > 0,
        share=share,
        by_content=any(entry is chosen for _, chosen in registry.candidates.values()),
        upscales=entry.upscaler is not None,
        sha256=entry.model.sha256,
        provider=entry.provider,
        seconds_per_megapixel=round(1e6 / entry.pixels_per_s, 3),
        proof=entry.model.proof,
        endpoints=list(entry.endpoints),
        contract=entry.model.contract,
    )


@router.get(
    "/models/{name}/file",
    summary="Get the file of a model",
    response_class=FileResponse,
    responses={200: MODEL_FILE, 206: PART_OF_FILE, 304: NOT_MODIFIED, **problems(401, 403, 404, 409, 416, 503)},
)
async def file(
    name: Annotated[str, Path(description="NAME, NAME@VERSION or NAME@SHA256")], request: Request, state: Shared
) -> Response:
    """Return the `.onnx` file of a loaded model, or a range of its bytes. Its ETag is the SHA-256 of the file."""
    if not state.settings.model_files:
        raise ForbiddenError("the model files are not given out here; the operator starts the service without --no-model-files")
    entry = state.models.entry(name)
    headers = {"ETag": f'"{entry.model.sha256}"', "Cache-Control": "private, no-cache"}
    if cache.matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if await to_thread.run_sync(signature, entry.model.path, limiter=state.short_threads) != entry.signature:
        raise ModelFileChangedError(
            f"the file of {entry.name} has changed since it was loaded; the operator reloads the models with SIGHUP"
        )
    return ResultFile(entry.model.path, media_type="application/octet-stream", headers=headers)


class DefaultModels(BaseModel):
    """The models that are used when a request names none."""

    shares: dict[Annotated[str, Field(max_length=300)], Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]] = Field(
        min_length=1,
        max_length=16,
        description="one model, or several with the weights by which requests are divided; NAME, NAME@VERSION or NAME@SHA256",
        examples=[{"upsample-s-x2": 95, "deconv-s-x2": 5}],
    )


@router.put(
    "/models/default", summary="Set the default model", status_code=204, responses=problems(400, 401, 403, 404, 422, 429, 503)
)
async def default(wanted: DefaultModels, request: Request, state: Shared) -> None:
    """Replace the default model at once, by one model or by several with shares. This needs the admin key."""
    expect_admin(request)
    await set_default(state, wanted.shares)


@router.post("/models/reload", summary="Reload the model files", responses=problems(401, 403, 429, 503))
async def reload(request: Request, state: Shared) -> Reloaded:
    """Load new and changed model files, and replace the models at once. This needs the admin key."""
    expect_admin(request)
    changes = await replace_models(state)
    return Reloaded(models=list(state.models.entries), **vars(changes))


@router.post("/models/{name}/load", summary="Load a model", status_code=204, responses=problems(401, 403, 404, 422, 429, 503))
async def load(name: str, request: Request, state: Shared) -> None:
    """Load a model that was unloaded, or whose file is new, changed or was refused. This needs the admin key."""
    expect_admin(request)
    await load_model(state, name)


@router.post(
    "/models/{name}/unload", summary="Unload a model", status_code=204, responses=problems(401, 403, 404, 422, 429, 503)
)
async def unload(name: str, request: Request, state: Shared) -> None:
    """Unload a model until it is loaded again or the service restarts. This needs the admin key."""
    expect_admin(request)
    await unload_model(state, name)
