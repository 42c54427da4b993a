from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from fastapi import FastAPI, Response

from upconv.runtime.errors import ParameterError
from upconv.runtime.install_hints import install_command
from upconv.service import tracing
from upconv.service.response_headers import timing

sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_span_a_request(app: FastAPI, ask: Callable[..., Any]) -> None:
    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    traced = tracing.Tracing(app, provider.get_tracer("test"))
    assert ask(traced, "GET", "/healthz", headers={"traceparent": PARENT}).status_code == 200
    ask(traced, "GET", "/nowhere")
    one, other = exporter.get_finished_spans()
    assert (one.name, one.attributes["http.response.status_code"]) == ("GET /healthz", 200)
    assert format(one.context.trace_id, "032x") == PARENT.split("-")[1]
    assert len(one.attributes["upconv.x-request-id"]) == 32
    assert (other.name, other.attributes["http.response.status_code"]) == ("GET unknown", 404)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ParameterError, match=rf"tracing needs .*; run {re.escape(install_command('tracing'))}"):
        tracing.tracer()


def test_each_stage_of_a_picture_is_a_span_within_that_of_the_request(
    ask: Callable[..., Any],
) -> None:
    upscaled = FastAPI()

    @upscaled.post("/v1/upscale")
    async def upscale(response: Response) -> None:
        response.headers["Server-Timing"] = timing({"queue": 0.0, "decode": 0.0015, "infer": 0.25, "encode": 0.02})

    exporter, provider = memory.InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    answer = ask(tracing.Tracing(upscaled, provider.get_tracer("test")), "POST", "/v1/upscale")
    assert answer.status_code == 200
    *stages, whole = exporter.get_finished_spans()
    assert whole.name == "POST /v1/upscale"
    assert [stage.name for stage in stages] == ["queue", "decode", "infer", "encode"]
    assert all(stage.parent.span_id == whole.context.span_id for stage in stages)
    assert [stage.end_time - stage.start_time for stage in stages] == [0, 1_500_000, 250_000_000, 20_000_000]
    assert all(one.end_time == other.start_time for one, other in pairwise(stages))
