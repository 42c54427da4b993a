"""`/v1/models`: the loaded models, and their reload."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from upconv.runtime import Contract
from upconv.service.access import expect_admin
from upconv.service.openapi import problems
from upconv.service.reloading import replace_models
from upconv.service.routes.dependencies import Shared

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
    """All loaded models, the default first."""

    models: list[LoadedModel]


class Reloaded(BaseModel):
    """The result of a reload, by names of models."""

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
    """Loads new and changed files in one step. A file that cannot be used is refused. Needs the admin key."""
    expect_admin(request)
    changes = await replace_models(state)
    return Reloaded(models=list(state.models.entries), **vars(changes))
