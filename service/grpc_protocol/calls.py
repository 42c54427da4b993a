"""The handlers of the methods: calls with one message, and streams."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
from anyio import to_thread

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import Cancelled
from upconv.runtime.remote.proto_messages import message_class, methods
from upconv.service.admission import Ticket
from upconv.service.errors import AdmissionFullError
from upconv.service.grpc_protocol import infer_messages
from upconv.service.grpc_protocol.client_calls import ClientCalls
from upconv.service.grpc_protocol.rpc import Rpc, parsed, sentence
from upconv.service.grpc_protocol.service_methods import SIMPLE
from upconv.service.inference_protocol.inference import InferenceResult
from upconv.service.inference_protocol.reply import OutputTensor
from upconv.service.inference_protocol.request import ParsedRequest
from upconv.service.inference_work import InferenceWork, compute, counting_failures
from upconv.service.registry import ServedModel
from upconv.service.state import ServiceState

MAX_STREAMS = 24
"""Streams at once. They may be idle, so they must leave room for other calls."""
IDLE_S = 300.0
"""Seconds after which a stream without a message ends."""

_Respond = Callable[[ServedModel, ParsedRequest, list[OutputTensor], dict[str, str]], Any]


class Calls:
    """All methods of the protocol for one service."""

    def __init__(self, state: ServiceState, clients: ClientCalls) -> None:
        self._state, self._clients = state, clients
        self._streaming = clients.with_bound(max(1, MAX_STREAMS // 2))
        self._streams = 0

    def handlers(self) -> dict[str, Any]:
        """Return the handler of each method, by name."""
        handlers = {name: grpc.stream_unary_rpc_method_handler(functools.partial(self._single, name)) for name in methods()}
        return {**handlers, "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(self._stream)}

    async def _single(self, method: str, messages: AsyncIterator[bytes], context: Any) -> bytes:
        """Serve a call with one message."""
        rpc = Rpc(method, self._state, messages, context)
        work: Callable[[Rpc], Awaitable[bytes]] = _inferred if method == "ModelInfer" else _simple
        try:
            with self._clients.counting(rpc.address):
                await rpc.admit()
                answer = await work(rpc)
        except asyncio.CancelledError:
            rpc.log(Cancelled("the client cancelled the call, or the service stopped"))
            raise
        except Exception as error:
            await rpc.fail(error)
            raise AssertionError from error  # `fail` ends the call
        rpc.log()
        return answer

    async def _stream(self, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer the messages of a stream in order. A message that fails is answered with its error, and the stream goes on."""
        rpc = Rpc("ModelStreamInfer", self._state, messages, context)
        with ExitStack() as stack:
            try:
                stack.enter_context(self._counted(rpc))
            except AdmissionFullError as error:
                await rpc.fail(error)
            async for answer in self._answers(rpc):
                yield answer

    @contextmanager
    def _counted(self, rpc: Rpc) -> Iterator[None]:
        if self._streams >= MAX_STREAMS:
            raise AdmissionFullError(f"there are {self._streams} streams already; try again in 1 s", 1)
        with self._clients.counting(rpc.address), self._streaming.counting(rpc.address):
            self._streams += 1
            try:
                yield
            finally:
                self._streams -= 1

    async def _answers(self, rpc: Rpc) -> AsyncIterator[bytes]:
        failure: Exception | None = None
        try:
            while (data := await rpc.next_of_stream(IDLE_S)) is not None:
                try:
                    answer = await _one_of_stream(rpc, data)
                except Exception as error:
                    failure = error
                    answer = message_class("ModelStreamInferResponse")(error_message=sentence(error)).SerializeToString()
                yield answer
        finally:
            rpc.log(failure)


async def _simple(rpc: Rpc) -> bytes:
    with rpc.state.admission.reading() as ticket:
        request = parsed(methods()[rpc.method][0], await rpc.message(ticket))
    answer: bytes = (await SIMPLE[rpc.method](request, rpc.state)).SerializeToString()
    return answer


async def _inferred(rpc: Rpc) -> bytes:
    admission = rpc.state.admission
    admission.check()
    with admission.reading() as ticket:
        data = await rpc.message(ticket)
        admission.check()
        ticket.admit()
        return await _infer(rpc, data, ticket, infer_messages.to_response)


async def _one_of_stream(rpc: Rpc, data: bytes) -> bytes:
    await rpc.admit()
    with rpc.state.admission.ticket() as ticket:
        ticket.hold(len(data))
        return await _infer(rpc, data, ticket, infer_messages.to_stream_response)


async def _infer(rpc: Rpc, data: bytes, ticket: Ticket, respond: _Respond) -> bytes:
    """Return the response to an inference request. Messages are parsed and written in threads, because they may be large."""
    until = asyncio.get_running_loop().time() + rpc.allowed_s
    message = await to_thread.run_sync(parsed, "ModelInferRequest", data, limiter=rpc.state.short_threads)
    entry = rpc.state.models.entry(message.model_name, message.model_version)
    rpc.model = entry.name
    parse = functools.partial(infer_messages.to_request, message)
    async with counting_failures(entry, rpc.state):
        with entry.in_use():
            work = InferenceWork(entry, parse, functools.partial(_write, entry, respond), until)
            return (await compute(work, rpc.state, ticket, rpc))[0]


def _write(entry: ServedModel, respond: _Respond, request: ParsedRequest, outcome: InferenceResult, _: Cancellation) -> bytes:
    data: bytes = respond(entry, request, outcome.outputs, outcome.notes).SerializeToString()
    return data
