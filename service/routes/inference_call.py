"""One inference call: admission, reading, computing in a thread, response."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import ExitStack
from dataclasses import dataclass

from anyio import to_thread
from fastapi import Request, Response

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.codecs.coding_speed import CodingSpeeds
from upconv.runtime.errors import UpconvError
from upconv.service import body
from upconv.service.admission import Ticket
from upconv.service.connection import WorkSlot, run_while_connected
from upconv.service.inference_protocol import inference, reply, request
from upconv.service.registry import ServedModel
from upconv.service.response_headers import timing
from upconv.service.sending import PictureResponse
from upconv.service.settings import Limits
from upconv.service.state import ServiceState


@dataclass(frozen=True)
class _InferCall:
    """The parts of a request that a thread needs."""

    data: bytes
    encoding: str
    header_length: str | None
    max_bytes: int
    max_json_bytes: int
    limits: Limits


async def answer(call: Request, entry: ServedModel, state: ServiceState, until: float) -> Response:
    """Return the response to `POST …/infer`; raises the errors of reading, admission and the model."""
    started = time.perf_counter()
    try:
        return await _answer(call, entry, state, until)
    except UpconvError:
        state.statistics.failed(entry.name, time.perf_counter() - started)
        raise


async def _answer(call: Request, entry: ServedModel, state: ServiceState, until: float) -> Response:
    with ExitStack() as stack:
        stack.enter_context(entry.in_use())
        ticket = stack.enter_context(state.admission.ticket())
        data = await body.read(call, state.settings, ticket)
        ticket.admit()
        arrived = time.perf_counter()
        prepare = functools.partial(_prepare, _described(call, data, state), entry, state.speeds)
        prepared = await to_thread.run_sync(prepare, limiter=state.short_threads)
        ticket.expect(prepared.cost.seconds, until - asyncio.get_running_loop().time(), tile_share=0)
        slot = WorkSlot(state.threads, state.memory.room(prepared.cost.bytes), until)
        work = functools.partial(_compute, prepared, entry, call.headers.get("accept-encoding", ""), ticket)
        outcome, written = await run_while_connected(call, work, slot)
        seconds = {"queue": max(0.0, time.perf_counter() - arrived - sum(outcome.seconds.values())), **outcome.seconds}
        state.statistics.succeeded(entry.name, outcome.batch, seconds)
        state.metrics.upscaled(entry.name, seconds, outcome.pixels_in, outcome.pixels_out, outcome.tiles)
        headers = {**written.headers, "Server-Timing": timing(seconds), "Vary": "Accept-Encoding"}
        ticket.done()
        return PictureResponse(written.body, headers, ticket, stack.pop_all().close)


def _described(call: Request, data: bytes, state: ServiceState) -> _InferCall:
    settings, headers = state.settings, call.headers
    return _InferCall(
        data,
        headers.get("content-encoding", ""),
        headers.get(request.LENGTH_HEADER),
        settings.max_bytes,
        settings.max_json_bytes,
        settings.limits,
    )


def _prepare(call: _InferCall, entry: ServedModel, speeds: CodingSpeeds) -> inference.Prepared:
    data = request.unpacked(call.data, call.encoding, call.max_bytes)
    return inference.prepare(entry, request.parse(data, call.header_length, call.max_json_bytes), call.limits, speeds)


def _compute(
    prepared: inference.Prepared, entry: ServedModel, accept: str, ticket: Ticket, cancellation: Cancellation
) -> tuple[inference.InferenceResult, reply.Reply]:
    ticket.begin()
    outcome = inference.infer(entry, prepared, cancellation)
    computed = time.perf_counter()
    notes = {"conversions": "; ".join(outcome.conversions)} if outcome.conversions else {}
    written = reply.write(entry.name, prepared.request, outcome.outputs, notes, accept, cancellation)
    outcome.seconds["encode"] = outcome.seconds.get("encode", 0.0) + time.perf_counter() - computed
    return outcome, written
