"""What one app holds while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import anyio
from fastapi import Depends, Request

from upconv.runtime.errors import Overloaded
from upconv.service.admission import Admission
from upconv.service.inference_protocol.statistics import Statistics
from upconv.service.metrics import Metrics
from upconv.service.registry import Registry
from upconv.service.settings import Settings


@dataclass
class State:
    """Everything that requests share."""

    settings: Settings
    admission: Admission
    metrics: Metrics
    threads: anyio.CapacityLimiter
    """The worker threads that decode, enlarge and encode."""
    registry: Registry | None = None
    """The models; none until they are warm, and none again after the end."""
    statistics: Statistics = field(default_factory=Statistics)
    """Counts per model, for `/v2`."""
    draining: bool = False
    """Whether the service is about to stop."""

    @property
    def ready(self) -> bool:
        """Whether requests can be sent."""
        return self.registry is not None and not self.draining

    @property
    def models(self) -> Registry:
        """The models; raises `Overloaded` where none are loaded."""
        if self.registry is None:
            raise Overloaded("the models are not loaded; try again in a moment")
        return self.registry


def _state(request: Request) -> State:
    state: State = request.app.state.upconv
    return state


Shared = Annotated[State, Depends(_state)]
"""How a route asks for the state."""
