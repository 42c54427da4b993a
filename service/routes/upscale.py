"""`POST /v1/upscale`: an image in, a larger image out."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response

from upconv.runtime import Processed, UpscaleOptions, Upscaler, process
from upconv.runtime.cancellation import Cancellation
from upconv.runtime.processing import predict_passes
from upconv.service import body, cache
from upconv.service.admission import Ticket
from upconv.service.cache import CachedResult
from upconv.service.connection import WorkSlot, run_while_connected
from upconv.service.cost import Cost, predict
from upconv.service.openapi import NOT_MODIFIED, PICTURE, PICTURE_BODY, problems
from upconv.service.parameters import UpscaleQuery, accepted_format
from upconv.service.registry import ServedModel
from upconv.service.response_headers import of_result, timing
from upconv.service.routes.dependencies import Shared, Until
from upconv.service.sending import PictureResponse
from upconv.service.settings import Limits
from upconv.service.state import ServiceState

router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post(
    "/upscale",
    summary="Enlarge a picture",
    response_class=Response,
    responses={200: PICTURE, 304: NOT_MODIFIED, **problems(400, 401, 404, 408, 413, 415, 422, 429, 503)},
    openapi_extra=PICTURE_BODY,
)
async def upscale(request: Request, query: Annotated[UpscaleQuery, Query()], state: Shared, until: Until) -> Response:
    """The body is the bytes of an image (curl: `--data-binary @in.jpg`) or a form (`-F file=@in.jpg`)."""
    entry, upscaler = state.models.upscaling(query.model)
    body.media_type(request)
    with ExitStack() as stack:
        stack.enter_context(entry.in_use())
        ticket = stack.enter_context(state.admission.ticket())
        data = await body.read(request, state.settings.max_bytes, state.settings.body_timeout_s, ticket)
        body_type, accept = request.headers.get("content-type", ""), request.headers.get("accept", "")
        asked = query.model_copy(update={"format": query.format or accepted_format(accept)})
        foresee = functools.partial(_foresee, data, body_type, asked, state.settings.limits, entry, upscaler)
        seen = await to_thread.run_sync(foresee, limiter=state.short_threads)
        if cache.matches(request.headers.get("if-none-match", ""), seen.etag):
            return Response(status_code=304, headers={"ETag": seen.etag, "Vary": "Accept"})
        kept = await _kept(seen.etag, state) or await _compute(
            _UpscaleCall(request, seen, entry, upscaler, ticket, until), state
        )
        headers = {**kept.headers, "ETag": seen.etag, "Vary": "Accept", "Cache-Control": "private, no-cache"}
        ticket.done()
        return PictureResponse(kept.data, headers, stack.pop_all().close, state.settings.body_timeout_s)


@dataclass(frozen=True)
class _Foreseen:
    picture: bytes
    """The image file."""
    options: UpscaleOptions
    cost: Cost
    etag: str


@dataclass(frozen=True)
class _UpscaleCall:
    request: Request
    seen: _Foreseen
    entry: ServedModel
    upscaler: Upscaler
    ticket: Ticket
    until: float


def _foresee(
    data: bytes, content_type: str, query: UpscaleQuery, limits: Limits, entry: ServedModel, upscaler: Upscaler
) -> _Foreseen:
    picture = body.picture_in(data, content_type)
    options = query.options(limits)
    cost = predict(predict_passes(picture, upscaler, options), entry)
    return _Foreseen(picture, options, cost, cache.etag(options, picture, entry.model.sha256))


async def _kept(etag: str, state: ServiceState) -> CachedResult | None:
    if state.cache is None:
        return None
    kept = await to_thread.run_sync(state.cache.get, etag, limiter=state.short_threads)
    state.metrics.looked_up(kept is not None)
    return CachedResult(kept.data, {**kept.headers, "X-Upconv-Cache": "hit"}) if kept else None


async def _compute(call: _UpscaleCall, state: ServiceState) -> CachedResult:
    arrived = time.perf_counter()
    call.ticket.expect(call.seen.cost.seconds, call.until - asyncio.get_running_loop().time())
    turn = WorkSlot(state.threads, state.memory.room(call.seen.cost.bytes), call.until)

    def compute(cancellation: Cancellation) -> Processed:
        return process(
            call.seen.picture, call.upscaler, call.seen.options, cancellation=cancellation, on_tile=call.ticket.advance
        )

    result = await run_while_connected(call.request, compute, turn)
    seconds = {"queue": time.perf_counter() - arrived - sum(result.seconds.values()), **result.seconds}
    state.metrics.upscaled(call.entry.name, seconds, result.input_pixels, result.output_pixels, result.tiles)
    headers = of_result(result, call.entry.model)
    if state.cache is not None:
        await to_thread.run_sync(
            state.cache.put, call.seen.etag, CachedResult(result.data, headers), limiter=state.short_threads
        )
    return CachedResult(result.data, {**headers, "Server-Timing": timing(seconds)})
