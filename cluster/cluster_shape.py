"""The shape of the service on Ray: its processes, what they reserve, and when requests are refused."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from upconv.runtime.errors import ParameterError
from upconv.runtime.provider_table import TABLE
from upconv.service.settings import Settings

MOST_SLOTS = 64
"""The most tiles of one model that an ingress replica has under way."""
_SLOTS = 4
_OF_LISTENER = (
    "uds",
    "admin_port",
    "tls_cert",
    "tls_key",
    "max_connections",
    "max_connections_per_client",
    "grpc_port",
    "grpc_uds",
)
"""The settings of listeners. On Ray, its proxies listen."""
_OF_ENDPOINTS = ("tiles_from", "tiles_wire", "tiles_key")
"""The settings of tiles over HTTP. On Ray, its handles carry the tiles."""
NOT_ON_RAY = _OF_LISTENER + _OF_ENDPOINTS
"""The settings that have no effect on Ray."""


class ClusterShape(BaseModel):
    """The shape of the service on Ray. Raises pydantic's `ValidationError` for values out of bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    tile_replicas: int | Literal["auto"] = "auto"
    """Processes that compute the tiles of each model. `auto`: as many as keep the predicted wait at `wait_target_s`."""
    max_tile_replicas: int = Field(default=8, ge=1, le=1000)
    """Most of these processes with `auto`. A Ray on this machine has at most one per core, unless this is given."""
    ingress_replicas: int = Field(default=1, ge=1, le=1000)
    """Processes that take requests, decode, cut, join and encode. Several need jobs_store."""
    num_cpus: float = Field(default=1.0, ge=0)
    """Cores that Ray reserves for each process."""
    num_gpus: float = Field(default=0.0, ge=0)
    """Cards, or the part of one, that Ray reserves for each process that computes tiles, such as 0.5."""
    batch_px: int | None = Field(default=None, ge=1)
    """Most input pixels of the tiles that are computed in one run of a model. Default: the provider's usual number of tiles."""
    wait_target_s: float = Field(default=2.0, gt=0)
    """Predicted seconds of waiting work that `auto` holds."""
    max_ongoing: int = Field(default=64, ge=1)
    """Most requests in one ingress replica. Further ones wait in Ray's proxy."""
    max_queued: int = Field(default=32, ge=0)
    """Most requests that wait there; the next one gets 429 with Retry-After."""
    retry_after_s: int = Field(default=2, ge=1)
    """Seconds of this Retry-After."""

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.tile_replicas != "auto" and self.tile_replicas < 1:
            raise ValueError("tile_replicas must be at least 1, or auto")
        return self

    @property
    def most_tile_replicas(self) -> int:
        """The largest number of processes that compute the tiles of one model."""
        return self.max_tile_replicas if self.tile_replicas == "auto" else self.tile_replicas

    def tiles_per_replica(self, settings: Settings) -> int:
        """Return the number of tiles that one process holds: each of its threads computes a batch, and the next one travels."""
        from upconv.runtime.calibration import TILE_PX

        entry = TABLE.get(settings.provider)  # `None` for auto
        threads = settings.workers or (entry and entry.workers) or 1
        batch = self.batch_px // TILE_PX**2 if self.batch_px else entry.batch if entry else 1
        return settings.tiles_in_flight or (threads + 1) * max(1, batch)

    def slots(self, settings: Settings) -> int:
        """Return the number of tiles of one model that an ingress replica has under way."""
        return max(_SLOTS, min(MOST_SLOTS, self.most_tile_replicas * self.tiles_per_replica(settings)))

    def places(self, models: int) -> int:
        """Return the number of cores that Ray must have for this shape and so many models."""
        return max(1, math.ceil(self.num_cpus * (self.ingress_replicas + models * self.most_tile_replicas)))

    def check(self, settings: Settings) -> None:
        """Raise `ParameterError` for settings that have no effect on Ray, or that do not fit this shape."""
        given = sorted(name for name in NOT_ON_RAY if name in settings.model_fields_set)
        if given:
            raise ParameterError(
                f"Ray's proxies listen and its handles carry the tiles, so {', '.join(given)} would have no effect; leave it out"
            )
        if self.ingress_replicas > 1 and settings.jobs_store is None:
            raise ParameterError(
                "several ingress replicas must share their jobs, or a job is unknown to all but one; set jobs_store and jobs_spool, "
                "or leave ingress_replicas at 1"
            )
