"""Numbers for Prometheus, one registry an app."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from upconv.service.registry import Registry

if TYPE_CHECKING:
    from upconv.service.state import State

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What the service counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.pictures = 0
        """Pictures and jobs so far."""
        ProcessCollector(registry=self.registry)
        self._requests = Counter("upconv_requests", "Requests answered", ("route", "method", "status"), registry=self.registry)
        self._stages = Histogram("upconv_stage_seconds", "Time per stage", ("stage",), buckets=_SECONDS, registry=self.registry)
        self._pixels = Counter("upconv_pixels", "Pixels decoded (in) and encoded (out)", ("direction",), registry=self.registry)
        self._tiles = Counter("upconv_tiles", "Tiles computed", ("model",), registry=self.registry)
        self._models = Gauge(
            "upconv_model_info", "Models that are loaded", ("model", "sha256", "provider"), registry=self.registry
        )
        self._jobs = Counter("upconv_jobs", "Jobs that ended", ("state",), registry=self.registry)
        self._looked_up = Counter("upconv_cache_lookups", "Results looked for in the cache", ("found",), registry=self.registry)

    def watch(self, state: State) -> None:
        """Show what `state` holds at the time of reading."""
        admission, memory = state.admission, state.memory
        self._show("upconv_pictures_in_work", "Pictures that have a worker thread", lambda: state.threads.borrowed_tokens)
        self._show("upconv_pictures_admitted", "Pictures in work or waiting", lambda: admission.pictures)
        self._show("upconv_admitted_bytes", "Bytes of the bodies of those pictures", lambda: admission.bytes)
        self._show("upconv_predicted_wait_seconds", "When those pictures should be done", lambda: admission.wait_s)
        self._show("upconv_pixel_memory_bytes", "Predicted memory of pictures in work", lambda: memory.taken)
        self._show("upconv_jobs_waiting", "Jobs queued or running", lambda: state.runner.waiting if state.runner else 0)
        self._show("upconv_cache_bytes", "Results kept on the disk", lambda: state.cache.bytes if state.cache else 0)
        self._show("upconv_ready", "Whether requests can be sent", lambda: state.ready)

    def _show(self, name: str, what: str, value: Callable[[], float]) -> None:
        Gauge(name, what, registry=self.registry).set_function(value)

    def answered(self, route: str, method: str, status: int) -> None:
        """Count a request; `route` must be one of finitely many."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()

    def upscaled(self, model: str, seconds: Mapping[str, float], pixels_in: int, pixels_out: int, tiles: int) -> None:
        """Count a picture that was upscaled."""
        self.pictures += 1
        for stage, value in seconds.items():
            self._stages.labels(stage).observe(value)
        self._pixels.labels("in").inc(pixels_in)
        self._pixels.labels("out").inc(pixels_out)
        self._tiles.labels(model).inc(tiles)

    def loaded(self, registry: Registry) -> None:
        """Name the models that are loaded, and no others."""
        self._models.clear()
        for entry in registry.entries.values():
            self._models.labels(entry.name, entry.model.sha256, entry.model.provider).set(1)

    def job_ended(self, how: str) -> None:
        """Count a job that ended."""
        self.pictures += 1
        self._jobs.labels(how).inc()

    def looked_up(self, found: bool) -> None:
        """Count a look into the cache."""
        self._looked_up.labels(str(found).lower()).inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)


def router(metrics: Metrics) -> APIRouter:
    """The route that Prometheus reads."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/metrics", summary="Numbers for Prometheus", response_class=Response, responses={200: {"content": {"text/plain": {}}}}
    )
    async def read() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return routes
