"""What is loaded, and how that is changed while requests go on."""

from __future__ import annotations

import anyio
from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from upconv.runtime import Contract
from upconv.service import loading
from upconv.service.access import expect_admin
from upconv.service.openapi import problems
from upconv.service.registry import Signature
from upconv.service.state import Shared, State

router = APIRouter(prefix="/v1", tags=["models"])


class LoadedModel(BaseModel):
    """A model that requests can name."""

    name: str
    default: bool = Field(description="whether it is used where no model is named")
    upscales: bool = Field(description="whether /v1/upscale takes it")
    sha256: str = Field(description="of the model file")
    provider: str = Field(description="the execution provider that really runs")
    contract: Contract = Field(description="what the model file says about itself")


class LoadedModels(BaseModel):
    """All of them, the default first."""

    models: list[LoadedModel]


class Reloaded(BaseModel):
    """What a reload did, by names of models."""

    models: list[str] = Field(description="what is loaded now")
    loaded: list[str] = Field(description="new ones")
    replaced: list[str] = Field(description="those whose file is another now; running requests finish on the old one")
    removed: list[str]
    refused: dict[str, str] = Field(description="files that cannot be used, and why; where one was loaded before, that stays")


@router.get("/models", summary="The loaded models", responses=problems(401, 503))
async def models(state: Shared) -> LoadedModels:
    """Name, hash, provider and contract of each loaded model."""
    return LoadedModels(
        models=[
            LoadedModel(
                name=entry.name,
                default=entry is state.models.default,
                upscales=entry.upscaler is not None,
                sha256=entry.model.sha256,
                provider=entry.model.provider,
                contract=entry.model.contract,
            )
            for entry in state.models.entries.values()
        ]
    )


@router.post("/models/reload", summary="Look at the model files again", responses=problems(401, 403, 429, 503))
async def reload(request: Request, state: Shared) -> Reloaded:
    """Takes up new and changed files, at once or not at all; needs the admin key."""
    expect_admin(request)
    changes = await replace_models(state)
    return Reloaded(models=list(state.models.entries), **vars(changes))


async def replace_models(state: State) -> loading.Changes:
    """Load what is new; requests that run finish on what they began with."""
    async with state.reloading:
        old = state.models
        with anyio.CancelScope(shield=True):
            registry, changes = await to_thread.run_sync(loading.reload, old, state.settings)
            state.registry = registry
            state.metrics.loaded(registry)
            for entry in loading.gone(old, registry):
                await to_thread.run_sync(entry.retire)
    state.journal.info("models", **vars(changes))
    return changes


async def watch(state: State) -> None:
    """Reload whenever a model file has changed and then rested for one look; until cancelled."""
    seen = loaded = await to_thread.run_sync(_signatures, state)
    while True:
        await anyio.sleep(state.settings.watch_interval_s)
        now = await to_thread.run_sync(_signatures, state)
        if now == seen and now != loaded:
            await replace_models(state)
            loaded = now
        seen = now


def _signatures(state: State) -> dict[str, Signature | None]:
    return {str(path): loading.signature(path) for path in loading.files(state.settings)}
