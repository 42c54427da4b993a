"""Everything that can be set, read once from the environment (`UPCONV_…`) or given by name."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from upconv.runtime.providers import Provider

Level = Literal["debug", "info", "warning", "error"]


def _paths(value: Any) -> Any:
    return tuple(Path(part) for part in value.split(os.pathsep) if part) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


@dataclass(frozen=True)
class Limits:
    """What a picture may have."""

    max_pixels: int
    """Largest picture to decode."""
    max_output_pixels: int
    """Largest picture to compute."""


class Settings(BaseSettings):
    """How the service runs; frozen, and raising pydantic's `ValidationError` for what is out of bounds."""

    model_config = SettingsConfigDict(
        env_prefix="UPCONV_", frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = Field(min_length=1)
    """Exported `.onnx` files or folders of them, the default model first; in the environment separated as in PATH."""
    watch: bool = False
    """Take up model files as they change."""
    watch_interval_s: float = Field(default=1.0, gt=0)
    """How often to look at them."""
    provider: Provider = "cpu"
    """Execution provider of every model."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Engine threads per model; one per available core where none is given."""
    tile_px: int | None = Field(default=None, ge=16, le=4096)
    """Side of a tile in input pixels, halo included; measured where none is given."""

    max_bytes: int = Field(default=32 * 2**20, ge=1)
    """Largest request body."""
    max_json_bytes: int = Field(default=8 * 2**20, ge=1)
    """Most JSON in a request of the inference protocol; binary tensors count as bytes of the body alone."""
    max_pixels: int = Field(default=25_000_000, ge=1)
    """Largest picture that is decoded."""
    max_output_pixels: int = Field(default=100_000_000, ge=1)
    """Largest picture that is computed, on the way to a result or as the result."""
    max_in_work: int = Field(default=4, ge=1, le=256)
    """Pictures decoded, enlarged or encoded at once."""
    max_memory_bytes: int = Field(default=4 * 2**30, ge=2**20)
    """Predicted memory for the pixels of pictures in work; others wait."""
    max_waiting: int = Field(default=32, ge=1)
    """Pictures in work or waiting; one more is answered by 503."""
    max_waiting_bytes: int = Field(default=256 * 2**20, ge=1)
    """Bytes of the request bodies of those pictures."""
    max_wait_s: float = Field(default=10.0, gt=0)
    """Predicted wait from which on further pictures are answered by 503."""
    deadline_s: float = Field(default=120.0, gt=0)
    """How long a request may take; X-Upconv-Timeout asks for less."""
    body_timeout_s: float = Field(default=30.0, gt=0)
    """How long a request body may take to arrive, and a piece of an answer to be taken."""
    drain_s: int = Field(default=20, ge=0)
    """How long requests in work may take after SIGTERM."""

    jobs_dir: Path | None = None
    """Folder of the jobs, for one process; `$XDG_STATE_HOME/upconv/jobs` where none is given."""
    job_workers: int = Field(default=1, ge=1, le=64)
    """Jobs in work at once."""
    job_ttl_s: float = Field(default=86_400.0, gt=0)
    """How long finished jobs are kept."""
    max_jobs: int = Field(default=1000, ge=1)
    """Jobs queued or running; one more is answered by 503."""
    max_job_bytes: int = Field(default=8 * 2**30, ge=1)
    """Pictures and results of jobs on the disk."""

    cache_dir: Path | None = None
    """Folder for results, to answer the same request again; nothing is kept where none is given."""
    cache_bytes: int = Field(default=2**30, ge=1)
    """Largest size of that folder."""

    api_keys: SecretStr | None = None
    """Who may ask, as NAME:KEY separated by commas; everybody where neither this nor a file is given."""
    api_keys_file: Path | None = None
    """The same as a file of lines, with hashes instead of keys; `--new-key NAME` makes one."""
    admin_key: SecretStr | None = None
    """Key for reloading models."""
    rate_per_s: float | None = Field(default=None, gt=0)
    """POST requests a second that one key, or one address, may send in the long run; any number where none is given."""
    rate_burst: int = Field(default=20, ge=1)
    """How many of them at once."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Origins whose pages may use the service, separated by commas; none by default."""
    log_level: Level = "info"
    """The least that is logged."""
    tracing: bool = False
    """Send a span for every request by OpenTelemetry, to where its own OTEL_… variables say; needs `upconv[tracing]`."""

    @property
    def limits(self) -> Limits:
        """Of pictures."""
        return Limits(self.max_pixels, self.max_output_pixels)

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.max_waiting_bytes < self.max_bytes:
            raise ValueError(f"max_waiting_bytes ({self.max_waiting_bytes}) must hold one body of max_bytes ({self.max_bytes})")
        return self
