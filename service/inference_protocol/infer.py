"""One inference: admitted, read, computed in a thread, answered."""

from __future__ import annotations

import functools
import threading
import time
from dataclasses import dataclass

from fastapi import Request, Response

from upconv.runtime.errors import UpconvError
from upconv.service import body
from upconv.service.connection import run_while_connected
from upconv.service.inference_protocol import inference, reply, request
from upconv.service.registry import Entry
from upconv.service.state import State


@dataclass(frozen=True)
class _Call:
    """What a thread needs to know."""

    data: bytes
    encoding: str
    header_length: str | None
    accept: str
    max_bytes: int
    max_json_bytes: int
    limits: inference.Limits


async def answer(call: Request, entry: Entry, state: State) -> Response:
    """The answer to `POST …/infer`; raises what reading, admission and the model raise."""
    started = time.perf_counter()
    try:
        return await _answer(call, entry, state)
    except UpconvError:
        state.statistics.failed(entry.name, time.perf_counter() - started)
        raise


async def _answer(call: Request, entry: Entry, state: State) -> Response:
    with state.admission.place() as place:
        data = await body.read(call, state.settings.max_bytes, state.settings.body_timeout_s, place)
        arrived = time.perf_counter()
        work = functools.partial(_compute, _described(call, data, state), entry)
        outcome, written = await run_while_connected(call, work, state.threads)
    seconds = {"queue": max(0.0, time.perf_counter() - arrived - sum(outcome.seconds.values())), **outcome.seconds}
    state.admission.took(sum(outcome.seconds.values()))
    state.statistics.succeeded(entry.name, outcome.batch, seconds)
    state.metrics.upscaled(entry.name, seconds, outcome.pixels_in, outcome.pixels_out, outcome.tiles)
    timing = ", ".join(f"{stage};dur={value * 1000:.1f}" for stage, value in seconds.items())
    return Response(written.body, headers={**written.headers, "Server-Timing": timing, "Vary": "Accept-Encoding"})


def _described(call: Request, data: bytes, state: State) -> _Call:
    settings, headers = state.settings, call.headers
    return _Call(
        data,
        headers.get("content-encoding", ""),
        headers.get(request.LENGTH_HEADER),
        headers.get("accept-encoding", ""),
        settings.max_bytes,
        settings.max_json_bytes,
        inference.Limits(settings.max_pixels, settings.max_output_pixels),
    )


def _compute(call: _Call, entry: Entry, called_off: threading.Event) -> tuple[inference.Outcome, reply.Reply]:
    started = time.perf_counter()
    data = request.unpacked(call.data, call.encoding, call.max_bytes)
    asked = request.parse(data, call.header_length, call.max_json_bytes)
    parsed = time.perf_counter()
    outcome = inference.infer(entry, asked, call.limits, called_off)
    computed = time.perf_counter()
    notes = {"conversions": "; ".join(outcome.conversions)} if outcome.conversions else {}
    written = reply.write(entry.name, asked, outcome.outputs, notes, call.accept)
    seconds = outcome.seconds
    seconds["decode"] = seconds.get("decode", 0.0) + parsed - started
    seconds["encode"] = seconds.get("encode", 0.0) + time.perf_counter() - computed
    return outcome, written
