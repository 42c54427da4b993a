"""What is loaded."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from upconv.runtime import Contract
from upconv.service.openapi import problems
from upconv.service.state import Shared

router = APIRouter(prefix="/v1", tags=["pictures"])


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


@router.get("/models", summary="The loaded models", responses=problems(503))
async def models(state: Shared) -> LoadedModels:
    """Name, hash, provider and contract of each loaded model."""
    return LoadedModels(
        models=[
            LoadedModel(
                name=entry.name,
                default=entry.default,
                upscales=entry.upscaler is not None,
                sha256=entry.model.sha256,
                provider=entry.model.provider,
                contract=entry.model.contract,
            )
            for entry in state.models.entries.values()
        ]
    )
