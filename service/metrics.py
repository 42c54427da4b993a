"""Metrics for Prometheus: one registry per app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

MEDIA_TYPE_TEXT = CONTENT_TYPE_PLAIN_0_0_4
"""Media type of `Metrics.text`."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


Proofs = Mapping[tuple[str, str, str], float]
"""The difference of each model from the processor as a share of what is allowed, by name, version and provider."""

_NONE: Proofs = MappingProxyType({})


class _LabelledGauge(Collector):
    """A gauge whose labels are known only when it is read."""

    def __init__(self, name: str, help: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        self._name, self._help, self._label, self._values = name, help, label, values

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily(self._name, self._help, labels=[self._label])
        for label, value in self._values().items():
            family.add_metric([label], value)
        yield family


class Metrics:
    """The metrics of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.pictures = 0
        """Number of pictures and jobs so far."""
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "upconv_requests", "Requests by route, method and status", ("route", "method", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "upconv_request_seconds",
            "Seconds from a request to the end of its response",
            ("route", "model"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._problems = Counter(
            "upconv_problems", "Refused and failed requests by kind of problem", ("kind", "status"), registry=self.registry
        )
        self._stages = Histogram(
            "upconv_stage_seconds", "Seconds per stage of a picture", ("stage",), buckets=_SECONDS, registry=self.registry
        )
        self._pixels = Counter("upconv_pixels", "Pixels decoded (in) and encoded (out)", ("direction",), registry=self.registry)
        self._tiles = Counter("upconv_tiles", "Tiles computed", ("model",), registry=self.registry)
        self._models = Gauge(
            "upconv_model_info", "Loaded models", ("model", "version", "sha256", "provider"), registry=self.registry
        )
        self._proofs = Gauge(
            "upconv_model_proof_ratio",
            "Difference of the provider from the processor on a tile of a photograph, as a share of what the contract allows",
            ("model", "version", "provider"),
            registry=self.registry,
        )
        self._reloads = Counter("upconv_reloads", "Reloads of the model files", ("result",), registry=self.registry)
        self._wrong_keys = Counter("upconv_wrong_keys", "Requests with an unknown or expired API key", registry=self.registry)
        self._counted_locally = Counter(
            "upconv_rates_counted_locally",
            "Requests whose rate this replica counted alone, because the database did not answer in time",
            registry=self.registry,
        )
        self._jobs = Counter("upconv_jobs", "Jobs that ended", ("state",), registry=self.registry)
        self._failures = Counter(
            "upconv_background_failures", "Failed attempts of tasks beside the server", ("task",), registry=self.registry
        )
        self._webhooks = Counter("upconv_webhooks", "Attempts to tell that a job ended", ("outcome",), registry=self.registry)
        self._uploads = Counter(
            "upconv_uploads", "Attempts to send the result of a job to its URL", ("outcome",), registry=self.registry
        )
        for outcome in ("delivered", "failed", "given-up"):  # from 0 on, so that an alert sees the first one
            self._webhooks.labels(outcome)
            self._uploads.labels(outcome)
        self._cache_failures = Counter(
            "upconv_cache_failures", "Failures of the cache: read, write, damaged", ("kind",), registry=self.registry
        )
        self._looked_up = Counter("upconv_cache_lookups", "Lookups in the cache of results", ("found",), registry=self.registry)

    def show(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Add a gauge that calls `value` whenever the metrics are read."""
        Gauge(name, help, registry=self.registry).set_function(value)

    def show_all(self, name: str, help: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        """Add a gauge with a label; `values` is called whenever the metrics are read."""
        self.registry.register(_LabelledGauge(name, help, label, values))

    def answered(self, route: str, method: str, status: int, model: str, seconds: float) -> None:
        """Count a request; `route` must be a declared path and `model` a loaded one, so that the number of labels is bounded."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._seconds.labels(route, model).observe(seconds)

    def refused(self, kind: str, status: int) -> None:
        """Count a request that ended with a problem: the last part of its type URI, and its status."""
        self._problems.labels(kind, str(status)).inc()

    def upscaled(self, model: str, seconds: Mapping[str, float], pixels_in: int, pixels_out: int, tiles: int) -> None:
        """Count an upscaled picture."""
        self.pictures += 1
        for stage, value in seconds.items():
            self._stages.labels(stage).observe(value)
        self._pixels.labels("in").inc(pixels_in)
        self._pixels.labels("out").inc(pixels_out)
        self._tiles.labels(model).inc(tiles)

    def loaded(self, models: Iterable[tuple[str, str, str, str]], proofs: Proofs = _NONE) -> None:
        """Replace the loaded models, each with its name, version, hash and provider.

        `proofs` holds those that were proved on the spot.
        """
        self._models.clear()
        for labels in models:
            self._models.labels(*labels).set(1)
        self._proofs.clear()
        for (model, version, provider), share in proofs.items():
            self._proofs.labels(model, version, provider).set(share)

    def reloaded(self, refused: bool) -> None:
        """Count a reload of the model files; `refused` is true if a file was refused."""
        self._reloads.labels("refused" if refused else "loaded").inc()

    def counted_locally(self) -> None:
        """Count a request whose rate only this replica counted."""
        self._counted_locally.inc()

    def wrong_key(self) -> None:
        """Count a request with a wrong API key."""
        self._wrong_keys.inc()

    def job_ended(self, state: str) -> None:
        """Count a job that ended."""
        self.pictures += 1
        self._jobs.labels(state).inc()

    def failed(self, task: str) -> None:
        """Count a failed attempt of a task beside the server."""
        self._failures.labels(task).inc()

    def told(self, outcome: str) -> None:
        """Count an attempt to tell that a job ended."""
        self._webhooks.labels(outcome).inc()

    def sent(self, outcome: str) -> None:
        """Count an attempt to send the result of a job to its URL."""
        self._uploads.labels(outcome).inc()

    def looked_up(self, found: bool) -> None:
        """Count a lookup in the cache."""
        self._looked_up.labels(str(found).lower()).inc()

    def cache_failed(self, kind: str) -> None:
        """Count a failure of the cache: `read`, `write` or `damaged`. Any thread may call this."""
        self._cache_failures.labels(kind).inc()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)
