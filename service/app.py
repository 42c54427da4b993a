"""The app: routes, middleware, and what lives as long as it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import anyio
from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from upconv.runtime.cores import available_cores
from upconv.service import health, heap, loading, metrics, models, openapi, pages, problem, upscale
from upconv.service.access import Access, Rates
from upconv.service.admission import Admission, Pace
from upconv.service.cache import Cache
from upconv.service.cost import Memory
from upconv.service.inference_protocol import routes as inference_protocol
from upconv.service.jobs import routes as jobs
from upconv.service.jobs.folder import opened
from upconv.service.jobs.runner import Runner
from upconv.service.journal import Journal, new_journal
from upconv.service.keys import Keys
from upconv.service.metrics import Metrics
from upconv.service.settings import Settings
from upconv.service.state import State

_GLANCES = 4
_EXPOSED = ["ETag", "Location", "Retry-After", "Server-Timing", "X-Request-Id", "Inference-Header-Content-Length"]


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI app; its lifespan opens the models and the jobs, and closes them.

    Raises `ParameterError` for settings that cannot be used, such as a file of keys that is not there.
    """
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
    _add_middleware(app, state)
    problem.install(app)
    for router in (upscale.router, jobs.router, models.router, inference_protocol.router, health.router):
        app.include_router(router)
    app.include_router(metrics.router(state.metrics))
    pages.mount(app)
    openapi.complete(app)
    return app


def _add_middleware(app: FastAPI, state: State) -> None:
    """The last that is added comes first."""
    settings = state.settings
    app.add_middleware(Access, keys=Keys.read(settings), rates=Rates(settings.rate_per_s, settings.rate_burst))
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=[*_EXPOSED, *(f"X-Upconv-{name}" for name in ("Model", "Tiles", "Conversions", "Provider"))],
        )
    app.add_middleware(Journal, journal=state.journal, metrics=state.metrics)


def _state(settings: Settings) -> State:
    pace = Pace(settings.workers or available_cores())
    state = State(
        settings,
        Admission(settings.max_waiting, settings.max_waiting_bytes, settings.max_wait_s, pace),
        Memory(settings.max_memory_bytes),
        Metrics(),
        new_journal(level=settings.log_level),
        anyio.CapacityLimiter(settings.max_in_work),
        anyio.CapacityLimiter(_GLANCES),
    )
    state.metrics.watch(state)
    return state


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: State = app.state.upconv
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(opened(state.settings.jobs_dir))
        if not folder.lasting:
            state.journal.warning("jobs end with this process, as their folder cannot be used; give one by --jobs-dir")
        if state.settings.cache_dir is not None:
            state.cache = Cache(state.settings.cache_dir, state.settings.cache_bytes)
        await to_thread.run_sync(folder.recover)
        state.registry = await to_thread.run_sync(loading.load, state.settings)
        stack.push_async_callback(_close, state)
        state.metrics.loaded(state.registry)
        state.runner = Runner(folder, state.settings, lambda: state.models, state.journal, state.metrics.job_ended)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(state.runner.run)
            tasks.start_soon(heap.give_back, lambda: state.metrics.pictures)
            if state.settings.watch:
                tasks.start_soon(models.watch, state)
            try:
                yield
            finally:
                state.runner.stop()
                tasks.cancel_scope.cancel()


async def _close(state: State) -> None:
    registry, state.registry, state.runner = state.registry, None, None
    with anyio.CancelScope(shield=True):
        if registry is not None:
            await to_thread.run_sync(registry.close)
