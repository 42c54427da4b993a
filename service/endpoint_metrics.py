"""Metrics of the servers that compute tiles."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from upconv.runtime.remote import EndpointReport

Reports = Mapping[str, Sequence[EndpointReport]]
"""The states of the endpoints of each model, by its name."""

_LABELS = ("model", "endpoint")


class EndpointMetrics(Collector):
    """A gauge of each endpoint, and counters since its model was loaded. They are read when the metrics are."""

    def __init__(self, reports: Callable[[], Reports]) -> None:
        self._reports = reports

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        up = GaugeMetricFamily("upconv_endpoint_up", "1 if the endpoint gets tiles, 0 if it is ejected", labels=_LABELS)
        held = GaugeMetricFamily("upconv_endpoint_in_flight", "Tiles that the endpoint holds", labels=_LABELS)
        tiles = CounterMetricFamily("upconv_endpoint_tiles", "Tiles that the endpoint computed", labels=_LABELS)
        failures = CounterMetricFamily("upconv_endpoint_failures", "Tiles that failed at the endpoint", labels=_LABELS)
        retries = CounterMetricFamily(
            "upconv_endpoint_retries", "Tiles that were sent elsewhere, because they failed or were overdue", labels=_LABELS
        )
        for model, reports in self._reports().items():
            for report in reports:
                labels = (model, report.url)
                up.add_metric(labels, report.state == "up")
                held.add_metric(labels, report.in_flight)
                tiles.add_metric(labels, report.tiles)
                failures.add_metric(labels, report.failures)
                retries.add_metric(labels, report.retries)
        yield from (up, held, tiles, failures, retries)
