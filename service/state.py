"""The state of one app."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import anyio

from upconv.runtime.codecs.coding_speed import CodingSpeeds
from upconv.runtime.errors import Overloaded
from upconv.service.access import Gatekeeper
from upconv.service.admission import Admission
from upconv.service.cache import Cache
from upconv.service.cost import MemoryBudget
from upconv.service.hosts import HostRules
from upconv.service.inference_protocol.statistics import Statistics
from upconv.service.jobs.events import JobEvents
from upconv.service.jobs.runner import JobRunner
from upconv.service.keys import ApiKeys
from upconv.service.loading import FileExecutors
from upconv.service.metrics import Metrics
from upconv.service.rates import RateLimiter
from upconv.service.registry import Registry
from upconv.service.settings import Settings
from upconv.service.supervisor import Supervisor
from upconv.service.trials.trials import Trials


@dataclass
class ServiceState:
    """The objects that all requests share."""

    settings: Settings
    admission: Admission
    memory: MemoryBudget
    metrics: Metrics
    log: Any
    threads: anyio.CapacityLimiter
    """Limits the threads that decode, upscale and encode."""
    short_threads: anyio.CapacityLimiter
    """Limits the threads for short work (headers, hashes, files), which must not wait for a picture."""
    supervisor: Supervisor
    """Runs the tasks beside the server."""
    webhook_hosts: HostRules
    """The hosts that the URLs of jobs may have."""
    result_hosts: HostRules
    """The hosts to which the results of jobs may be sent."""
    fetch_hosts: HostRules
    """The hosts from which signed URLs may take pictures."""
    trials: Trials
    """The trials of new model files."""
    rates: RateLimiter
    """The counter of the requests of clients: of this process, or of all replicas together."""
    keys: ApiKeys = field(default_factory=ApiKeys)
    """The API keys that are in force."""
    executors: FileExecutors | None = None
    """Returns what computes the tiles of a model file; `None` for this machine or the endpoints of the settings."""
    registry: Registry | None = None
    """The models; `None` until they are warm, and after the shutdown."""
    runner: JobRunner | None = None
    """The runner of jobs; `None` before the start and after the shutdown."""
    events: JobEvents | None = None
    """The events of jobs; `None` while the runner is."""
    cache: Cache | None = None
    """The cache of results; `None` if it is off."""
    speeds: CodingSpeeds = field(default_factory=CodingSpeeds)
    """The speeds of decoding and encoding."""
    statistics: Statistics = field(default_factory=Statistics)
    """Statistics per model, for `/v2`."""
    reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while models are replaced."""
    grpc_port: int | None = None
    """The port of the gRPC server; `None` if there is none."""
    draining: bool = False
    """True if the service is stopping."""

    @cached_property
    def gatekeeper(self) -> Gatekeeper:
        """The check of the callers of all protocols."""
        return Gatekeeper(lambda: self.keys, lambda: self.rates, self.metrics.wrong_key)

    @property
    def ready(self) -> bool:
        """True if the service accepts requests."""
        return self.registry is not None and not self.draining and not self.registry.lost

    @property
    def models(self) -> Registry:
        """The models; raises `Overloaded` if none are loaded."""
        if self.registry is None:
            raise Overloaded("the models are not loaded; try again in a moment")
        return self.registry

    @property
    def jobs(self) -> JobRunner:
        """The runner of jobs; raises `Overloaded` if it is not started."""
        if self.runner is None:
            raise Overloaded("jobs are not accepted at the moment; try again in a moment")
        return self.runner

    @property
    def job_events(self) -> JobEvents:
        """The events of jobs; raises `Overloaded` if the runner is not started."""
        if self.events is None:
            raise Overloaded("jobs are not accepted at the moment; try again in a moment")
        return self.events
