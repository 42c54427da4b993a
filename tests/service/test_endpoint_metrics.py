from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from upconv.runtime.remote import EndpointReport
from upconv.service.endpoint_metrics import EndpointMetrics


def test_each_endpoint_has_its_series() -> None:
    up = EndpointReport("http://a", "up", None, 2, 7, 0, 0, "equal")
    ejected = EndpointReport("http://b", "ejected", "refuses connections", 0, 3, 1, 2, None)
    registry = CollectorRegistry()
    registry.register(EndpointMetrics(lambda: {"net": (up, ejected)}))
    lines = generate_latest(registry).decode().splitlines()
    for line in (
        'upconv_endpoint_up{endpoint="http://a",model="net"} 1.0',
        'upconv_endpoint_up{endpoint="http://b",model="net"} 0.0',
        'upconv_endpoint_in_flight{endpoint="http://a",model="net"} 2.0',
        'upconv_endpoint_tiles_total{endpoint="http://a",model="net"} 7.0',
        'upconv_endpoint_failures_total{endpoint="http://b",model="net"} 1.0',
        'upconv_endpoint_retries_total{endpoint="http://b",model="net"} 2.0',
    ):
        assert line in lines


def test_without_endpoints_there_are_no_series() -> None:
    registry = CollectorRegistry()
    registry.register(EndpointMetrics(dict))
    assert "{" not in generate_latest(registry).decode()
