"""One inference call over HTTP: admission, reading, computing in a thread, response."""

from __future__ import annotations

import functools
from contextlib import ExitStack

from fastapi import Request, Response

from upconv.runtime.cancellation import Cancellation
from upconv.service import body
from upconv.service.inference_protocol import reply, request
from upconv.service.inference_protocol.inference import InferenceResult
from upconv.service.inference_protocol.request import ParsedRequest
from upconv.service.inference_work import InferenceWork, compute, counting_failures
from upconv.service.registry import ServedModel
from upconv.service.response_headers import timing
from upconv.service.sending import PictureResponse
from upconv.service.settings import Settings
from upconv.service.state import ServiceState


async def answer(call: Request, entry: ServedModel, state: ServiceState, until: float) -> Response:
    """Return the response to `POST …/infer`; raises the errors of reading, admission and the model."""
    async with counting_failures(entry, state):
        return await _answer(call, entry, state, until)


async def _answer(call: Request, entry: ServedModel, state: ServiceState, until: float) -> Response:
    with ExitStack() as stack:
        stack.enter_context(entry.in_use())
        ticket = stack.enter_context(state.admission.ticket())
        data = await body.read(call, state.settings, ticket)
        ticket.admit()
        encoding, length = call.headers.get("content-encoding", ""), call.headers.get(request.LENGTH_HEADER)
        parse = functools.partial(_parse, data, encoding, length, state.settings)
        write = functools.partial(_write, entry, call.headers.get("accept-encoding", ""))
        written, seconds = await compute(InferenceWork(entry, parse, write, until), state, ticket, call)
        headers = {**written.headers, "Server-Timing": timing(seconds), "Vary": "Accept-Encoding"}
        return PictureResponse(written.parts, headers, ticket, stack.pop_all().close)


def _parse(data: bytes, encoding: str, header_length: str | None, settings: Settings) -> ParsedRequest:
    unpacked = request.unpacked(data, encoding, settings.max_bytes)
    return request.parse(unpacked, header_length, settings.max_json_bytes)


def _write(
    entry: ServedModel, accept: str, parsed: ParsedRequest, outcome: InferenceResult, cancellation: Cancellation
) -> reply.Reply:
    return reply.write(entry.name, entry.version, parsed, outcome.outputs, outcome.notes, accept, cancellation)
