"""The process that takes requests: the app of `upconv serve`, whose tiles other processes compute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi import FastAPI

from upconv.cluster.ray_executor import RayExecutor, TileTerms, TileTransport
from upconv.cluster.upload_memory import ReturnedMemory
from upconv.runtime.errors import ModelError
from upconv.runtime.executors import Executor
from upconv.service import Settings, create_app, heap, tracing

_SWITCH_S = 0.0005


class IngressApp:
    """The app of one ingress replica, and what it is made of."""

    def __init__(self, settings: Settings, terms: TileTerms, transports: Mapping[Path, TileTransport]) -> None:
        """Use the transport of each model file."""
        # As in `upconv serve`: while threads convert pixels, each step of the event loop may wait this long.
        sys.setswitchinterval(_SWITCH_S)
        heap.keep_out_of_collections()
        self._terms, self._transports = terms, transports
        self._wait_s: Callable[[], float] = lambda: 0.0
        self.app: FastAPI = create_app(settings, self._executor)
        """The ASGI app, whose lifespan opens the models."""
        admission = self.app.state.upconv.admission
        self._wait_s = lambda: float(admission.wait_s)
        self.app.add_middleware(ReturnedMemory)
        if settings.tracing:
            tracer, _ = tracing.tracer()
            self.app.add_middleware(tracing.Tracing, tracer=tracer)

    def _executor(self, path: Path) -> Executor:
        """Return what computes the tiles of a file. Raises `ModelError` for a file that was not there at the start."""
        transport = self._transports.get(path)
        if transport is None:
            raise ModelError(f"no process computes the tiles of {path}, because it was not there at the start; deploy again")
        return RayExecutor(transport, self._terms, lambda: self._wait_s())


def ingress_settings(settings: Settings) -> Settings:
    """Return the settings of an ingress replica: it opens models on the processor, only to read and to plan."""
    return settings.model_copy(update={"provider": "cpu", "workers": None})
