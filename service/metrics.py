"""Numbers for Prometheus, one registry an app."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What the service counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("upconv_requests", "Requests answered", ("route", "method", "status"), registry=self.registry)
        self._stages = Histogram("upconv_stage_seconds", "Time per stage", ("stage",), buckets=_SECONDS, registry=self.registry)
        self._pixels = Counter("upconv_pixels", "Pixels decoded (in) and encoded (out)", ("direction",), registry=self.registry)
        self._tiles = Counter("upconv_tiles", "Tiles computed", ("model",), registry=self.registry)
        self._models = Gauge(
            "upconv_model_info", "Models that are loaded", ("model", "sha256", "provider"), registry=self.registry
        )
        self.in_work = Gauge("upconv_pictures_in_work", "Pictures that have a worker thread", registry=self.registry)
        self.admitted = Gauge("upconv_pictures_admitted", "Pictures in work or waiting", registry=self.registry)
        self.admitted_bytes = Gauge("upconv_admitted_bytes", "Bytes of the bodies of those pictures", registry=self.registry)

    def answered(self, route: str, method: str, status: int) -> None:
        """Count a request; `route` must be one of finitely many."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()

    def upscaled(self, model: str, seconds: Mapping[str, float], pixels_in: int, pixels_out: int, tiles: int) -> None:
        """Count a picture that was upscaled."""
        for stage, value in seconds.items():
            self._stages.labels(stage).observe(value)
        self._pixels.labels("in").inc(pixels_in)
        self._pixels.labels("out").inc(pixels_out)
        self._tiles.labels(model).inc(tiles)

    def loaded(self, model: str, sha256: str, provider: str) -> None:
        """Name a model that is loaded."""
        self._models.labels(model, sha256, provider).set(1)

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
