"""`POST /v1/upscale`: an image in, a larger image out."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from upconv.runtime import Processed, UpscaleOptions, process
from upconv.runtime.cancellation import Cancellation
from upconv.service import body, cache
from upconv.service.admission import Ticket
from upconv.service.cache import CachedResult
from upconv.service.connection import WorkSlot, run_while_connected
from upconv.service.cost import Cost, predict_picture
from upconv.service.openapi import NOT_MODIFIED, PICTURE, PICTURE_BODY, problems
from upconv.service.parameters import UpscaleQuery, accepted_format
from upconv.service.registry import UpscalingModels
from upconv.service.response_headers import of_result, timing
from upconv.service.routes.dependencies import Shared, Until
from upconv.service.sending import PictureResponse
from upconv.service.state import ServiceState

router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post(
    "/upscale",
    summary="Upscale a picture",
    response_class=Response,
    responses={200: PICTURE, 304: NOT_MODIFIED, **problems(400, 401, 404, 408, 413, 415, 422, 429, 503)},
    openapi_extra=PICTURE_BODY,
)
async def upscale(request: Request, query: Annotated[UpscaleQuery, Query()], state: Shared, until: Until) -> Response:
    """Upscale the image in the body.

    The body is raw bytes (curl `--data-binary @in.jpg`) or a form (`-F file=@in.jpg`).
    """
    accept = request.headers.get("accept", "")
    options = query.model_copy(update={"format": query.format or accepted_format(accept)})
    given = GivenPicture(
        lambda ticket: body.read(request, state.settings, ticket),
        request.headers.get("content-type", ""),
        {"Vary": "Accept", "Cache-Control": "private, no-cache"},
        lambda: body.media_type(request),
    )
    return await answer(request, options, given, state, until)


@dataclass(frozen=True)
class GivenPicture:
    """The picture of a request, before it is read."""

    read: Callable[[Ticket], Awaitable[bytes]]
    content_type: str
    """The Content-Type of what is read. It matters for forms only."""
    headers: dict[str, str]
    """Headers for caches."""
    check: Callable[[], object] = lambda: None
    """Raises an error if the request is refused before anything is read."""


async def answer(request: Request, query: UpscaleQuery, given: GivenPicture, state: ServiceState, until: float) -> Response:
    """Read and upscale a picture, and return the response."""
    models = state.models.upscaling_models(query.model)
    given.check()
    with ExitStack() as stack:
        stack.enter_context(models.in_use())
        ticket = stack.enter_context(state.admission.ticket())
        data = await given.read(ticket)
        ticket.admit()
        prepared = await prepare(functools.partial(body.picture_in, data, given.content_type), query, state, models)
        if cache.matches(request.headers.get("if-none-match", ""), prepared.etag):
            return Response(status_code=304, headers={**given.headers, "ETag": prepared.etag})
        result = await result_of(UpscaleCall(request, prepared, models, ticket, until), state)
        headers = {**result.headers, **given.headers, "ETag": prepared.etag}
        ticket.done()
        return PictureResponse((result.data,), headers, ticket, stack.pop_all().close)


@dataclass(frozen=True)
class PreparedPicture:
    """A picture that was read and whose cost is known."""

    picture: bytes
    """The bytes of the image file."""
    options: UpscaleOptions
    cost: Cost
    etag: str


@dataclass(frozen=True)
class UpscaleCall:
    """A request for one picture, with all that its work needs."""

    request: Request
    """The work is cancelled if its client disconnects. Its body must have been read."""
    prepared: PreparedPicture
    models: UpscalingModels
    ticket: Ticket
    until: float
    """Time of the event loop at which the work is cancelled, in seconds."""


async def prepare(
    picture: Callable[[], bytes], query: UpscaleQuery, state: ServiceState, models: UpscalingModels
) -> PreparedPicture:
    """Return the picture that `picture` returns, with its options, its predicted cost and its ETag."""
    return await to_thread.run_sync(_prepared, picture, query, state, models, limiter=state.short_threads)


def _prepared(
    picture: Callable[[], bytes], query: UpscaleQuery, state: ServiceState, models: UpscalingModels
) -> PreparedPicture:
    data = picture()
    options = query.options(state.settings.limits)
    cost = predict_picture(data, models, options, state.speeds)
    return PreparedPicture(data, options, cost, cache.etag(options, data, models.identity))


async def result_of(call: UpscaleCall, state: ServiceState) -> CachedResult:
    """Return the result of a call from the cache, or compute it."""
    return await _cached(call.prepared.etag, state) or await _compute(call, state)


async def _cached(etag: str, state: ServiceState) -> CachedResult | None:
    if state.cache is None:
        return None
    kept = await to_thread.run_sync(state.cache.get, etag, limiter=state.short_threads)
    state.metrics.looked_up(kept is not None)
    return CachedResult(kept.data, {**kept.headers, "X-Upconv-Cache": "hit"}) if kept else None


async def _compute(call: UpscaleCall, state: ServiceState) -> CachedResult:
    arrived = time.perf_counter()
    cost = call.prepared.cost
    call.ticket.expect(cost.seconds, call.until - asyncio.get_running_loop().time(), cost.tile_share)
    slot = WorkSlot(state.threads, state.memory.room(cost.bytes), call.until)

    def compute(cancellation: Cancellation) -> Processed:
        call.ticket.begin()
        return process(
            call.prepared.picture,
            call.models.upscaler,
            call.prepared.options,
            cancellation=cancellation,
            on_tile=call.ticket.advance,
        )

    result = await run_while_connected(call.request, compute, slot)
    seconds = {"queue": time.perf_counter() - arrived - sum(result.seconds.values()), **result.seconds}
    entry = call.models.chosen(result.choice)
    state.metrics.upscaled(entry.name, seconds, result.input_pixels, result.output_pixels, result.tiles)
    headers = of_result(result, entry)
    if state.cache is not None:
        await to_thread.run_sync(
            state.cache.put, call.prepared.etag, CachedResult(result.data, headers), limiter=state.short_threads
        )
    return CachedResult(result.data, {**headers, "Server-Timing": timing(seconds)})
