"""OpenTelemetry tracing: one span per request and one per stage of its picture, sent as OTLP over HTTP.

The OTEL_… environment variables of OpenTelemetry configure the exporter.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command

_STAGE = re.compile(r"([a-z]+);dur=([0-9.]+)")


class Tracing:
    """ASGI middleware that traces requests; it continues the trace of a `traceparent` header."""

    def __init__(self, app: ASGIApp, tracer: Any) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request within a span."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from opentelemetry import propagate, trace

        context = propagate.extract(dict(Headers(scope=scope)))
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=context, kind=trace.SpanKind.SERVER, attributes=attributes
        ) as span:
            await self._app(scope, receive, _recording(self._tracer, span, scope, send))


def tracer() -> tuple[Any, Callable[[], None]]:
    """Return a tracer and the function that shuts it down.

    Raises `ParameterError` if OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ParameterError(f"tracing needs {error.name}, which is not installed; run {install_command('tracing')}") from error
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("upconv"), provider.shutdown


def _recording(tracer: Any, span: Any, scope: Scope, send: Send) -> Send:
    """Return a `send` that also records the response in the span."""

    async def record(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            route = getattr(scope.get("route"), "path", None)
            span.update_name(f"{scope['method']} {route or 'unknown'}")
            span.set_attribute("http.route", route or "unknown")
            span.set_attribute("http.response.status_code", message["status"])
            for name in ("Server-Timing", "X-Request-Id", "X-Upconv-Model", "X-Upconv-Tiles"):
                if name in headers:
                    span.set_attribute(f"upconv.{name.lower()}", headers[name])
            _add_stages(tracer, headers.get("Server-Timing", ""))
        await send(message)

    return record


def _add_stages(tracer: Any, server_timing: str) -> None:
    """Add a span for each stage in a `Server-Timing` header, one after the other up to now.

    The stages of a large picture overlap, so the spans show the time of each stage, not when it ran.
    """
    stages = [(name, int(float(ms) * 1e6)) for name, ms in _STAGE.findall(server_timing)]
    start = time.time_ns() - sum(length for _, length in stages)
    for name, length in stages:
        tracer.start_span(name, start_time=start).end(start + length)
        start += length
