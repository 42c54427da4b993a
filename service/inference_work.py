"""The work of one inference, the same for all protocols: check, admission by cost, computing in a thread, statistics."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from anyio import to_thread

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.errors import UpconvError
from upconv.service.admission import Ticket
from upconv.service.connection import Connected, WorkSlot, run_while_connected
from upconv.service.inference_protocol import inference
from upconv.service.inference_protocol.inference import InferenceResult, Prepared
from upconv.service.inference_protocol.request import ParsedRequest
from upconv.service.registry import ServedModel
from upconv.service.state import ServiceState

W = TypeVar("W")


@dataclass(frozen=True)
class InferenceWork(Generic[W]):
    """An inference whose message has arrived."""

    entry: ServedModel
    parse: Callable[[], ParsedRequest]
    """Returns the request in the message. It is called in a thread."""
    write: Callable[[ParsedRequest, InferenceResult, Cancellation], W]
    """Returns the answer to a request from its result. It is called in a thread."""
    until: float
    """Time of the event loop at which the work is cancelled, in seconds."""


async def compute(
    work: InferenceWork[W], state: ServiceState, ticket: Ticket, connected: Connected
) -> tuple[W, dict[str, float]]:
    """Return the answer, and the seconds of each stage.

    Raises the errors of `inference.prepare` and `inference.infer`, of admission, and of `run_while_connected`.
    """
    arrived, entry = time.perf_counter(), work.entry
    prepared = await to_thread.run_sync(_prepare, work, state, limiter=state.short_threads)
    ticket.expect(prepared.cost.seconds, work.until - asyncio.get_running_loop().time(), tile_share=0)
    slot = WorkSlot(state.threads, state.memory.room(prepared.cost.bytes), work.until)
    outcome, written = await run_while_connected(connected, functools.partial(_compute, work, prepared, ticket), slot)
    seconds = {"queue": max(0.0, time.perf_counter() - arrived - sum(outcome.seconds.values())), **outcome.seconds}
    state.statistics.succeeded(entry.name, entry.version, outcome.batch, seconds)
    state.metrics.upscaled(entry.name, seconds, outcome.pixels_in, outcome.pixels_out, outcome.tiles)
    ticket.done()
    return written, seconds


@asynccontextmanager
async def counting_failures(entry: ServedModel, state: ServiceState) -> AsyncIterator[None]:
    """Count an error inside the context in the statistics of the model."""
    started = time.perf_counter()
    try:
        yield
    except UpconvError:
        state.statistics.failed(entry.name, entry.version, time.perf_counter() - started)
        raise


def _prepare(work: InferenceWork[W], state: ServiceState) -> Prepared:
    return inference.prepare(work.entry, work.parse(), state.settings.limits, state.speeds)


def _compute(
    work: InferenceWork[W], prepared: Prepared, ticket: Ticket, cancellation: Cancellation
) -> tuple[InferenceResult, W]:
    ticket.begin()
    outcome = inference.infer(work.entry, prepared, cancellation)
    computed = time.perf_counter()
    written = work.write(prepared.request, outcome, cancellation)
    outcome.seconds["encode"] = outcome.seconds.get("encode", 0.0) + time.perf_counter() - computed
    return outcome, written
