"""The ASGI app: its routes, its middleware and its lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

import anyio
from anyio import to_thread
from anyio.abc import TaskGroup
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from upconv.runtime import memory
from upconv.runtime.cores import available_cores
from upconv.runtime.errors import OutOfMemoryError, ParameterError
from upconv.runtime.install_hints import install_command
from upconv.service import heap, loading, log_output, openapi, problem, reloading
from upconv.service.access import Access
from upconv.service.admission import Admission
from upconv.service.cache import Cache
from upconv.service.cost import MemoryBudget
from upconv.service.endpoint_metrics import EndpointMetrics
from upconv.service.errors import StorageError
from upconv.service.hosts import HostRules
from upconv.service.jobs.deliveries import Deliveries, DeliveryContext
from upconv.service.jobs.events import JobEvents
from upconv.service.jobs.replicas import Replicas
from upconv.service.jobs.runner import JobRunner, RunnerContext
from upconv.service.jobs.signatures import secret_bytes
from upconv.service.jobs.storage import JobStorage
from upconv.service.jobs.storage_choice import opened_storage
from upconv.service.jobs.sweep import sweep
from upconv.service.jobs.uploads import Uploads
from upconv.service.jobs.webhooks import Webhooks
from upconv.service.keys import ApiKeys
from upconv.service.loading import FileExecutors
from upconv.service.log import new_log
from upconv.service.metrics import Metrics
from upconv.service.network.forwarding import Forwarding, TrustedProxies
from upconv.service.network.gate import Gate
from upconv.service.network.head_requests import HeadRequests
from upconv.service.network.root_path import RootPath
from upconv.service.rates import Rates
from upconv.service.request_log import RequestLog
from upconv.service.routes import inference_protocol, jobs, models, operation, pages, sd_webui, sources, upscale
from upconv.service.settings import Settings
from upconv.service.shared_rates import RateStore, SharedRates
from upconv.service.state import ServiceState
from upconv.service.supervisor import Supervisor
from upconv.service.throughput import Throughput
from upconv.service.trials.trials import Trials
from upconv.service.web_runtime import open_runtime

_SHORT_THREADS = 4
_EXPOSED = ["ETag", "Location", "Retry-After", "Server-Timing", "X-Request-Id", "Inference-Header-Content-Length"]


def create_app(settings: Settings, executors: FileExecutors | None = None) -> FastAPI:
    """Return the service as an ASGI app. Its lifespan opens and closes the models and the jobs.

    `executors` returns what computes the tiles of the model in a file; by default this machine or `settings.tiles_from` does.

    Raises `ParameterError` if a setting cannot be used, for example if the file of keys is missing.
    """
    state = _state(settings, executors)
    app = FastAPI(
        title="upconv",
        summary="Upscales pictures with exported decoders",
        version=version("upconv"),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        servers=[{"url": settings.root_path}] if settings.root_path else None,
    )
    if settings.webhook_hosts:
        _webhook_secret(settings)  # a bad one is refused at once
    app.state.upconv = state
    _add_middleware(app, state)
    problem.install(app)
    for router in (upscale.router, sources.router, jobs.router, models.router, inference_protocol.router, operation.router):
        app.include_router(router)
    if settings.sd_webui:
        app.include_router(sd_webui.router)
    pages.mount(app, open_runtime(settings.web_runtime) if settings.web_runtime is not None else None)
    openapi.complete(app, sd_webui.SCHEMAS if settings.sd_webui else ())
    return app


def _add_middleware(app: FastAPI, state: ServiceState) -> None:
    """Add the middleware from the innermost to the outermost."""
    settings = state.settings
    app.add_middleware(Access, gatekeeper=state.gatekeeper)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=[
                *_EXPOSED,
                *(f"X-Upconv-{name}" for name in ("Model", "Tiles", "Conversions", "Conversion-Keys", "Provider")),
            ],
        )
    app.add_middleware(HeadRequests)
    app.add_middleware(Gate, admin_port=settings.admin_port is not None)
    app.add_middleware(RequestLog, log=state.log, metrics=state.metrics, conceal=lambda text: state.keys.conceal(text))
    if settings.root_path:
        app.add_middleware(RootPath, prefix=settings.root_path)
    if proxies := TrustedProxies(settings.trusted_proxies):
        app.add_middleware(Forwarding, proxies=proxies)


def _state(settings: Settings, executors: FileExecutors | None) -> ServiceState:
    throughput = Throughput(settings.workers or available_cores())
    metrics, log = Metrics(), new_log(level=settings.log_level, format=settings.log_format)
    state = ServiceState(
        settings,
        Admission(
            settings.max_waiting,
            settings.max_waiting_bytes,
            settings.max_wait_s,
            throughput,
            max_long=settings.max_in_work - 1 or None,
        ),
        MemoryBudget(settings.max_memory_bytes),
        metrics,
        log,
        anyio.CapacityLimiter(settings.max_in_work),
        anyio.CapacityLimiter(_SHORT_THREADS),
        Supervisor(log, metrics.failed),
        HostRules.of(settings.webhook_hosts),
        HostRules.of(settings.result_hosts, "--result-hosts"),
        HostRules.of(settings.fetch_hosts, "--fetch-hosts"),
        Trials(settings),
        Rates(settings.rate_per_s, settings.rate_burst),
        ApiKeys.read(settings),
        executors=executors,
    )
    _show_gauges(state)
    return state


def _show_gauges(state: ServiceState) -> None:
    admission, memory, show = state.admission, state.memory, state.metrics.show
    show("upconv_pictures_in_work", "Pictures that are processed in a thread", lambda: state.threads.borrowed_tokens)
    show("upconv_pictures_admitted", "Pictures that are processed or waiting", lambda: admission.pictures)
    show("upconv_admitted_bytes", "Bytes of the bodies of admitted pictures", lambda: admission.bytes)
    show("upconv_predicted_wait_seconds", "Predicted seconds until all admitted pictures are done", lambda: admission.wait_s)
    show("upconv_pixel_memory_bytes", "Predicted memory of the pixels of processed pictures", lambda: memory.taken)
    show("upconv_jobs_waiting", "Jobs that are queued or running", lambda: state.runner.waiting if state.runner else 0)
    show("upconv_oldest_job_seconds", "Age of the oldest of them", lambda: state.runner.oldest_s if state.runner else 0)
    show("upconv_cache_bytes", "Bytes of cached results", lambda: state.cache.bytes if state.cache else 0)
    show("upconv_log_lines_dropped", "Lines of the log that its reader did not take", log_output.dropped_lines)
    show(
        "upconv_models_refused", "Model files that cannot be used", lambda: len(state.registry.refused) if state.registry else 0
    )
    show("upconv_rates_shared", "1 if request rates are counted over all replicas", lambda: state.rates.shared)
    show("upconv_ready", "1 if the service accepts requests", lambda: state.ready)
    state.metrics.registry.register(EndpointMetrics(lambda: state.registry.endpoints if state.registry else {}))
    state.metrics.show_all(
        "upconv_background_failing",
        "Failed attempts of a task beside the server since the last successful one",
        "task",
        lambda: {name: failing.failures for name, failing in state.supervisor.failing.items()},
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: ServiceState = app.state.upconv
    async with AsyncExitStack() as stack:
        storage = stack.enter_context(opened_storage(state.settings))
        if not storage.lasting:
            state.log.warning("jobs are lost when this process ends, because the default folder cannot be used; set --jobs-dir")
        if state.settings.cache_dir is not None:
            state.cache = Cache(state.settings.cache_dir, state.settings.cache_bytes, state.metrics.cache_failed)
        await _open_jobs(storage, state)
        stack.callback(state.trials.close)
        state.registry = await to_thread.run_sync(
            loading.load, state.settings, state.trials, lambda: state.draining, state.executors
        )
        stack.push_async_callback(_close, state)
        state.metrics.loaded(state.registry.identities, state.registry.proofs)
        for path, reason in state.registry.refused.items():
            state.log.error("model refused", path=str(path), reason=reason)
        reloading.log_proofs(state)
        _warn_of_little_room(state)
        context = RunnerContext(state.settings, lambda: state.models, state.supervisor, state.log, state.metrics.job_ended)
        runner = state.runner = JobRunner(storage, context)
        state.events = JobEvents(runner, lambda: state.draining)
        if state.settings.grpc_port is not None or state.settings.grpc_uds is not None:
            state.grpc_port = await stack.enter_async_context(_grpc(state))
        async with anyio.create_task_group() as tasks:
            _start_tasks(state, runner, tasks)
            if storage.rates is not None:
                _share_rates(state, storage.rates, tasks)
            try:
                yield
            finally:
                runner.stop()
                tasks.cancel_scope.cancel()


def _warn_of_little_room(state: ServiceState) -> None:
    """Say so at the start if the limit of address space will refuse every picture."""
    try:
        memory.expect_room()
    except OutOfMemoryError as error:
        state.log.error("all pictures are refused at the moment", error=str(error))


async def _open_jobs(storage: JobStorage, state: ServiceState) -> None:
    """Bring the database to its schema before the service is ready. Without it, pictures are served, but no jobs."""
    try:
        await to_thread.run_sync(storage.recover if not storage.store.shared else storage.store.count_backlog)
    except StorageError as error:
        state.log.error("jobs are not accepted until the database can be used", error=str(error))


def _start_tasks(state: ServiceState, runner: JobRunner, tasks: TaskGroup) -> None:
    """Start the tasks beside the server. None of them ends the process."""
    supervisor = state.supervisor
    tasks.start_soon(runner.run)
    tasks.start_soon(
        supervisor.run, "sweep", partial(sweep, runner, state.settings.job_ttl_s, partial(supervisor.succeeded, "sweep"))
    )
    trim = partial(heap.release_when_idle, lambda: state.metrics.pictures, partial(supervisor.succeeded, "memory"))
    tasks.start_soon(supervisor.run, "memory", trim)
    for name, deliveries in _deliveries(state, runner).items():
        tasks.start_soon(supervisor.run, name, deliveries.run)
    if runner.storage.store.shared:
        _start_replica(state, runner, tasks)
    if state.settings.watch:
        tasks.start_soon(supervisor.run, "models", reloading.ModelWatch(state).run)


def _start_replica(state: ServiceState, runner: JobRunner, tasks: TaskGroup) -> None:
    """Start the tasks that only replicas have."""
    supervisor, replicas = state.supervisor, Replicas(runner, state.supervisor, state.settings.job_claim_s)
    tasks.start_soon(supervisor.run, "heartbeats", replicas.beat)
    tasks.start_soon(supervisor.run, "progress", replicas.tell)
    tasks.start_soon(supervisor.run, "messages", partial(replicas.listen, partial(supervisor.succeeded, "messages")))
    tasks.start_soon(supervisor.run, "spool", partial(replicas.check_files, partial(supervisor.succeeded, "spool")))


def _share_rates(state: ServiceState, store: RateStore, tasks: TaskGroup) -> None:
    """Count the requests of clients over all replicas from now on."""
    settings, supervisor = state.settings, state.supervisor
    shared = SharedRates(Rates(settings.rate_per_s, settings.rate_burst), store, state.metrics.counted_locally)
    state.rates = shared
    limited = settings.rate_per_s is not None or any(key.rate_per_s for key in state.keys.keys)
    succeeded, failed = partial(supervisor.succeeded, "rates"), partial(supervisor.failed, "rates")
    tasks.start_soon(partial(shared.run, succeeded, failed, now=limited))


def _deliveries(state: ServiceState, runner: JobRunner) -> dict[str, Deliveries]:
    """Return what sends webhooks and results, by the name of its task."""
    settings, made = state.settings, dict[str, Deliveries]()
    if settings.webhook_hosts:
        context = _delivery_context("webhooks", state.webhook_hosts, state.metrics.told, state)
        made["webhooks"] = Deliveries(runner, Webhooks(runner.storage.store, _webhook_secret(settings)), context)
    if settings.result_hosts:
        context = _delivery_context("uploads", state.result_hosts, state.metrics.sent, state)
        made["uploads"] = Deliveries(runner, Uploads(runner.storage, settings.stall_s), context)
    return made


def _delivery_context(task: str, hosts: HostRules, count: Callable[[str], object], state: ServiceState) -> DeliveryContext:
    return DeliveryContext(hosts, partial(state.supervisor.succeeded, task), count, state.log)


def _webhook_secret(settings: Settings) -> bytes:
    """Return the key of the signatures; raise `ParameterError` if there is no usable one."""
    return secret_bytes(settings.webhook_secret.get_secret_value() if settings.webhook_secret else "")


def _grpc(state: ServiceState) -> AbstractAsyncContextManager[int | None]:
    try:
        from upconv.service.grpc_protocol.listener import listening
    except ImportError as error:
        raise ParameterError(f"gRPC needs further packages; install them with {install_command('grpc')}") from error
    return listening(state)


async def _close(state: ServiceState) -> None:
    registry, state.registry, state.runner, state.events = state.registry, None, None, None
    with anyio.CancelScope(shield=True):
        if registry is not None:
            await to_thread.run_sync(registry.close)
