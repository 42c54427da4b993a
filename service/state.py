"""The state of one running app."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import anyio

from upconv.runtime.errors import Overloaded
from upconv.service.admission import Admission
from upconv.service.cache import Cache
from upconv.service.cost import MemoryBudget
from upconv.service.inference_protocol.statistics import Statistics
from upconv.service.jobs.runner import JobRunner
from upconv.service.metrics import Metrics
from upconv.service.registry import Registry
from upconv.service.settings import Settings


@dataclass
class ServiceState:
    """The state that requests share."""

    settings: Settings
    admission: Admission
    memory: MemoryBudget
    metrics: Metrics
    log: Any
    threads: anyio.CapacityLimiter
    """The worker threads that decode, upscale and encode."""
    glances: anyio.CapacityLimiter
    """Threads for short tasks (headers, hashes, files), so that these need not wait for a picture."""
    registry: Registry | None = None
    """The models, or `None` until they are warm and after the end."""
    runner: JobRunner | None = None
    """The jobs, or `None` before the start and after the end."""
    cache: Cache | None = None
    """The cache of results, or `None` if there is none."""
    statistics: Statistics = field(default_factory=Statistics)
    """Counts per model, for `/v2`."""
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while models are replaced."""
    draining: bool = False
    """True if the service is about to stop."""

    @property
    def ready(self) -> bool:
        """True if requests can be sent."""
        return self.registry is not None and not self.draining

    @property
    def models(self) -> Registry:
        """The models; raises `Overloaded` if none are loaded."""
        if self.registry is None:
            raise Overloaded("the models are not loaded; try again in a moment")
        return self.registry

    @property
    def jobs(self) -> JobRunner:
        """The jobs; raises `Overloaded` if they are not open."""
        if self.runner is None:
            raise Overloaded("jobs are not open; try again in a moment")
        return self.runner
