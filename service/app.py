"""The app, and the server that runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from anyio import to_thread
from fastapi import FastAPI

from upconv.service import health, metrics, models, openapi, pages, problem, upscale
from upconv.service.admission import Admission
from upconv.service.inference_protocol import routes
from upconv.service.journal import Journal, new_journal
from upconv.service.metrics import Metrics
from upconv.service.registry import Registry
from upconv.service.settings import Settings
from upconv.service.state import State


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app; its lifespan opens the models and closes them."""
    state = _state(settings)
    app = FastAPI(
        title="upconv",
        summary="Enlarges pictures with exported decoders",
        version=version("upconv"),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.upconv = state
    app.add_middleware(Journal, journal=new_journal(), metrics=state.metrics)
    problem.install(app)
    for router in (upscale.router, models.router, routes.router, health.router, metrics.router(state.metrics)):
        app.include_router(router)
    pages.mount(app)
    openapi.complete(app)
    return app


def _state(settings: Settings) -> State:
    admission = Admission(settings.max_waiting, settings.max_waiting_bytes, settings.max_in_work)
    state = State(settings, admission, Metrics(), anyio.CapacityLimiter(settings.max_in_work))
    state.metrics.in_work.set_function(lambda: state.threads.borrowed_tokens)
    state.metrics.admitted.set_function(lambda: admission.pictures)
    state.metrics.admitted_bytes.set_function(lambda: admission.bytes)
    return state


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.upconv
    registry = await to_thread.run_sync(Registry.open, state.settings)
    for entry in registry.entries.values():
        state.metrics.loaded(entry.name, entry.model.sha256, entry.model.provider)
    state.registry = registry
    try:
        yield
    finally:
        state.registry = None
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(registry.close)
