"""OpenTelemetry tracing: one span per request, sent as OTLP over HTTP.

The OTEL_… environment variables of OpenTelemetry configure the exporter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from upconv.runtime.errors import ParameterError


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
            await self._app(scope, receive, _recording(span, scope, send))


def tracer() -> tuple[Any, Callable[[], None]]:
    """Return a tracer and the function that shuts it down.

    Raises `ParameterError` if OpenTelemetry is not installed.
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ParameterError(
            f"tracing needs {error.name}, which is not installed; run pip install 'upconv[tracing]'"
        ) from error
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider.get_tracer("upconv"), provider.shutdown


def _recording(span: Any, scope: Scope, send: Send) -> Send:
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
        await send(message)

    return record
