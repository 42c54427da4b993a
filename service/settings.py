"""Everything that can be set, read once from the environment (`UPCONV_…`) or given by name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from upconv.runtime.engine import TILE_PX
from upconv.runtime.providers import Provider


def _paths(value: Any) -> Any:
    return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


class Settings(BaseSettings):
    """How the service runs; frozen, and raising pydantic's `ValidationError` for what is out of bounds."""

    model_config = SettingsConfigDict(env_prefix="UPCONV_", frozen=True, extra="forbid")

    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = Field(min_length=1)
    """Exported `.onnx` files, the default model first; in the environment separated as in PATH."""
    provider: Provider = "cpu"
    """Execution provider of every model."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Engine threads per model; one per available core where none is given."""
    tile_px: int = Field(default=TILE_PX, ge=16, le=4096)
    """Side of a tile in input pixels, halo included."""
    max_bytes: int = Field(default=32 * 2**20, ge=1)
    """Largest request body."""
    max_json_bytes: int = Field(default=8 * 2**20, ge=1)
    """Most JSON in a request of the inference protocol; binary tensors count as bytes of the body alone."""
    max_pixels: int = Field(default=25_000_000, ge=1)
    """Largest picture that is decoded."""
    max_output_pixels: int = Field(default=100_000_000, ge=1)
    """Largest picture that is computed, on the way to a result or as the result."""
    max_in_work: int = Field(default=4, ge=1, le=256)
    """Pictures decoded, enlarged or encoded at once: what bounds the memory for pixels."""
    max_waiting: int = Field(default=32, ge=1)
    """Pictures in work or waiting; one more is answered by 503."""
    max_waiting_bytes: int = Field(default=256 * 2**20, ge=1)
    """Bytes of the request bodies of those pictures."""
    body_timeout_s: float = Field(default=30.0, gt=0)
    """How long a request body may take to arrive."""
    drain_s: int = Field(default=20, ge=0)
    """How long requests in work may take after SIGTERM."""

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.max_waiting_bytes < self.max_bytes:
            raise ValueError(f"max_waiting_bytes ({self.max_waiting_bytes}) must hold one body of max_bytes ({self.max_bytes})")
        return self
