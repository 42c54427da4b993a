"""The settings of the service, read once from the environment (`UPCONV_…`) or given by name."""

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
    """The limits on pictures."""

    max_pixels: int
    """Largest picture to decode, in pixels."""
    max_output_pixels: int
    """Largest picture to compute, in pixels."""


class Settings(BaseSettings):
    """The settings of the service, frozen. Values out of bounds raise pydantic's `ValidationError`."""

    model_config = SettingsConfigDict(
        env_prefix="UPCONV_", frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    models: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = Field(min_length=1)
    """Exported `.onnx` files or folders of them, the default model first; in the environment separated as in PATH."""
    watch: bool = False
    """Load model files when they change."""
    watch_interval_s: float = Field(default=1.0, gt=0)
    """Seconds between looks at the model files."""
    provider: Provider = "cpu"
    """Execution provider of every model."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    workers: int | None = Field(default=None, ge=1, le=256)
    """Engine threads per model; by default one per available core."""
    tile_px: int | None = Field(default=None, ge=16, le=4096)
    """Side of a tile in input pixels, halo included; measured by default."""

    max_bytes: int = Field(default=32 * 2**20, ge=1)
    """Largest request body."""
    max_json_bytes: int = Field(default=8 * 2**20, ge=1)
    """Largest JSON in a request of the inference protocol; binary tensors count only as bytes of the body."""
    max_pixels: int = Field(default=25_000_000, ge=1)
    """Largest picture that is decoded."""
    max_output_pixels: int = Field(default=100_000_000, ge=1)
    """Largest picture that is computed, in any pass or as the result."""
    max_in_work: int = Field(default=4, ge=1, le=256)
    """Pictures that are decoded, upscaled or encoded at once."""
    max_memory_bytes: int = Field(default=4 * 2**30, ge=2**20)
    """Predicted memory for the pixels of running pictures; other pictures wait."""
    max_waiting: int = Field(default=32, ge=1)
    """Pictures running or waiting; a further one gets 503."""
    max_waiting_bytes: int = Field(default=256 * 2**20, ge=1)
    """Bytes of the request bodies of these pictures."""
    max_wait_s: float = Field(default=10.0, gt=0)
    """Predicted wait from which further pictures get 503."""
    deadline_s: float = Field(default=120.0, gt=0)
    """Longest duration of a request; X-Upconv-Timeout can request less."""
    body_timeout_s: float = Field(default=30.0, gt=0)
    """Longest time for a request body to arrive, and for a client to accept a piece of an answer."""
    drain_s: int = Field(default=20, ge=0)
    """Longest time for running requests after SIGTERM."""

    jobs_dir: Path | None = None
    """Folder of the jobs, for one process; by default `$XDG_STATE_HOME/upconv/jobs`."""
    job_workers: int = Field(default=1, ge=1, le=64)
    """Jobs that run at once."""
    job_ttl_s: float = Field(default=86_400.0, gt=0)
    """Time for which finished jobs are kept."""
    max_jobs: int = Field(default=1000, ge=1)
    """Jobs queued or running; a further one gets 503."""
    max_job_bytes: int = Field(default=8 * 2**30, ge=1)
    """Bytes of the pictures and results of jobs on the disk."""

    cache_dir: Path | None = None
    """Folder of the cache of results; by default nothing is cached."""
    cache_bytes: int = Field(default=2**30, ge=1)
    """Largest size of this folder."""

    api_keys: SecretStr | None = None
    """API keys as NAME:KEY separated by commas; by default, and without a file, everybody is accepted."""
    api_keys_file: Path | None = None
    """A file with a key per line, as hashes; `--new-key NAME` makes one."""
    admin_key: SecretStr | None = None
    """Key for reloading models."""
    rate_per_s: float | None = Field(default=None, gt=0)
    """POST requests per second of one key, or one address, on average; unlimited by default."""
    rate_burst: int = Field(default=20, ge=1)
    """POST requests at once."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Origins whose pages may use the service, separated by commas; none by default."""
    log_level: Level = "info"
    """Lowest level that is logged."""
    tracing: bool = False
    """Send a span for every request by OpenTelemetry, as its own OTEL_… variables configure; needs `upconv[tracing]`."""

    @property
    def limits(self) -> Limits:
        """The limits on pictures."""
        return Limits(self.max_pixels, self.max_output_pixels)

    @model_validator(mode="after")
    def _room_for_one(self) -> Self:
        if self.max_waiting_bytes < self.max_bytes:
            raise ValueError(f"max_waiting_bytes ({self.max_waiting_bytes}) must hold one body of max_bytes ({self.max_bytes})")
        return self
