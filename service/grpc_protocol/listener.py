"""The gRPC server beside the HTTP server, in the same event loop."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
from anyio import to_thread

from upconv.runtime.errors import Cancelled, ParameterError
from upconv.service.admission import Ticket
from upconv.service.grpc_protocol import infer_messages
from upconv.service.grpc_protocol.descriptors import SERVICE, message_class, methods, parsed
from upconv.service.grpc_protocol.rpc import Rpc, sentence
from upconv.service.grpc_protocol.service_methods import SIMPLE
from upconv.service.inference_protocol.inference import InferenceResult
from upconv.service.inference_protocol.reply import OutputTensor
from upconv.service.inference_protocol.request import ParsedRequest
from upconv.service.inference_work import InferenceWork, compute, counting_failures
from upconv.service.registry import ServedModel
from upconv.service.state import ServiceState

_SPARE_CALLS = 32
"""Calls at once beyond the pictures that admission allows, for health and metadata."""
_DRAIN_CHECK_S = 0.1
_IDLE_MS = 300_000
_Respond = Callable[[ServedModel, ParsedRequest, list[OutputTensor], dict[str, str]], Any]
_OPTIONS = {
    "grpc.max_metadata_size": 32 * 1024,
    "grpc.max_connection_idle_ms": _IDLE_MS,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.so_reuseport": 0,
}


@asynccontextmanager
async def listening(state: ServiceState, host: str, port: int) -> AsyncIterator[int]:
    """Serve calls inside the context, and provide the port. When the service drains, calls may finish as requests do.

    Raises `ParameterError` if the address is in use.
    """
    settings = state.settings
    options = {**_OPTIONS, "grpc.max_receive_message_length": settings.max_bytes, "grpc.max_send_message_length": -1}
    server = grpc.aio.server(options=list(options.items()), maximum_concurrent_rpcs=settings.max_waiting + _SPARE_CALLS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, _handlers(state)),))
    try:
        bound = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError as error:
        raise ParameterError(f"cannot listen on {host}, port {port}, for gRPC; choose another --grpc-port") from error
    await server.start()
    ending = asyncio.create_task(_stop_when_draining(server, state))
    try:
        state.log.info("grpc", host=host, port=bound)
        yield bound
    finally:
        if not state.draining:
            ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
        await server.stop(0)


async def _stop_when_draining(server: Any, state: ServiceState) -> None:
    while not state.draining:
        await asyncio.sleep(_DRAIN_CHECK_S)
    await server.stop(state.settings.drain_s)


def _handlers(state: ServiceState) -> dict[str, Any]:
    handlers = {}
    for method in methods():
        if method == "ModelStreamInfer":
            handlers[method] = grpc.stream_stream_rpc_method_handler(functools.partial(_streamed, state))
        else:
            handlers[method] = grpc.stream_unary_rpc_method_handler(functools.partial(_answered, method, state))
    return handlers


async def _answered(method: str, state: ServiceState, messages: AsyncIterator[bytes], context: Any) -> bytes:
    """Serve a call with one message."""
    rpc = Rpc(method, state, messages, context)
    work: Callable[[Rpc], Awaitable[bytes]] = _inferred if method == "ModelInfer" else _simple
    try:
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


async def _simple(rpc: Rpc) -> bytes:
    with rpc.state.admission.reading() as ticket:
        request = parsed(methods()[rpc.method][0], await rpc.message(ticket))
    answer: bytes = (await SIMPLE[rpc.method](request, rpc.state)).SerializeToString()
    return answer


async def _inferred(rpc: Rpc) -> bytes:
    with rpc.state.admission.ticket() as ticket:
        return await _infer(rpc, await rpc.message(ticket), ticket, infer_messages.to_response)


async def _infer(rpc: Rpc, data: bytes, ticket: Ticket, respond: _Respond) -> bytes:
    """Return the response to an inference request. Messages are parsed and written in threads, because they may be large."""
    until = asyncio.get_running_loop().time() + rpc.allowed_s
    message = await to_thread.run_sync(parsed, "ModelInferRequest", data, limiter=rpc.state.short_threads)
    entry = rpc.state.models.entry(message.model_name, message.model_version)
    parse = functools.partial(infer_messages.to_request, message)
    async with counting_failures(entry, rpc.state):
        with entry.in_use():
            work = InferenceWork(entry, parse, functools.partial(_write, entry, respond), until)
            return (await compute(work, rpc.state, ticket, rpc))[0]


def _write(
    entry: ServedModel, respond: _Respond, request: ParsedRequest, outcome: InferenceResult, notes: dict[str, str]
) -> bytes:
    data: bytes = respond(entry, request, outcome.outputs, notes).SerializeToString()
    return data


async def _streamed(state: ServiceState, messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
    """Answer the messages of a stream in order. A message that fails is answered with its error, and the stream goes on."""
    rpc = Rpc("ModelStreamInfer", state, messages, context)
    failure: Exception | None = None
    async for data in messages:
        try:
            await rpc.admit()
            with rpc.state.admission.ticket() as ticket:
                ticket.hold(len(data))
                answer = await _infer(rpc, data, ticket, infer_messages.to_stream_response)
        except Exception as error:
            failure = error
            answer = message_class("ModelStreamInferResponse")(error_message=sentence(error)).SerializeToString()
        yield answer
    rpc.log(failure)
