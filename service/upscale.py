"""`POST /v1/upscale`: an image in, a larger image out."""

from __future__ import annotations

import functools
import time
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from upconv.runtime import Model, Target, codecs
from upconv.service import body, work
from upconv.service.connection import run_while_connected
from upconv.service.openapi import PICTURE, PICTURE_BODY, problems
from upconv.service.parameters import UpscaleQuery, accepted_format
from upconv.service.state import Shared, State

router = APIRouter(prefix="/v1", tags=["pictures"])

_SUFFIXES = {"jpeg": "jpg"}
_READABLE = " ;,:'()/%+"
"""What need not be percent-encoded in a header's value for it to stay one."""


@router.post(
    "/upscale",
    summary="Enlarge a picture",
    response_class=Response,
    responses={200: PICTURE, **problems(404, 408, 413, 415, 422, 503)},
    openapi_extra=PICTURE_BODY,
)
async def upscale(request: Request, query: Annotated[UpscaleQuery, Query()], state: Shared) -> Response:
    """The body is the bytes of an image (curl: `--data-binary @in.jpg`) or a form (`-F file=@in.jpg`)."""
    upscaler = state.models.upscaler(query.model)
    body.media_type(request)
    with state.admission.place() as place:
        data = await body.read(request, state.settings.max_bytes, state.settings.body_timeout_s, place)
        order = _order(data, request, query, state)
        arrived = time.perf_counter()
        result = await run_while_connected(request, functools.partial(work.carry_out, order, upscaler), state.threads)
        seconds = {"queue": time.perf_counter() - arrived - sum(result.seconds.values()), **result.seconds}
    state.admission.took(sum(result.seconds.values()))
    state.metrics.upscaled(upscaler.model.contract.name, seconds, result.pixels_in, result.pixels_out, result.tiles)
    return Response(
        result.data, media_type=codecs.MEDIA_TYPES[result.format], headers=_headers(result, upscaler.model, seconds)
    )


def _order(data: bytes, request: Request, query: UpscaleQuery, state: State) -> work.Order:
    return work.Order(
        data=data,
        content_type=request.headers.get("content-type", ""),
        target=Target(query.scale, query.width, query.height),
        format=query.format or accepted_format(request.headers.get("accept", "")),
        quality=query.quality,
        max_pixels=state.settings.max_pixels,
        max_output_pixels=state.settings.max_output_pixels,
    )


def _headers(result: work.Result, model: Model, seconds: dict[str, float]) -> dict[str, str]:
    headers = {
        "Server-Timing": ", ".join(f"{stage};dur={max(value, 0) * 1000:.1f}" for stage, value in seconds.items()),
        "X-Upconv-Model": quote(model.contract.name, safe=_READABLE),
        "X-Upconv-Model-SHA256": model.sha256,
        "X-Upconv-Provider": model.provider,
        "X-Upconv-Tiles": str(result.tiles),
        "Content-Disposition": f'inline; filename="upscaled.{_SUFFIXES.get(result.format, result.format)}"',
        "Vary": "Accept",
    }
    if result.conversions:
        headers["X-Upconv-Conversions"] = quote("; ".join(result.conversions), safe=_READABLE)
    return headers
