"""The routes of sd-webui (AUTOMATIC1111, Forge) that enlarge a picture, so that its clients can use this service.

They are off unless the setting `sd_webui` is on. What a request asks for and upconv does not do is refused with a sentence, unless
it has no effect on the picture; `ExtraSingleImage` says which is which.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
from contextlib import ExitStack
from typing import Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from upconv.runtime import codecs
from upconv.runtime.auto_upscaler import NAME as AUTO
from upconv.runtime.errors import ImageError, ParameterError
from upconv.runtime.options import MAX_SCALE, UpscaleOptions
from upconv.service import body
from upconv.service.cache import CachedResult
from upconv.service.openapi import problems
from upconv.service.parameters import UpscaleQuery
from upconv.service.routes.dependencies import Shared, Until
from upconv.service.routes.upscale import UpscaleCall, prepare, result_of
from upconv.service.sending import PictureResponse

router = APIRouter(prefix="/sdapi/v1", tags=["sd-webui"])

NONE = "None"
"""The name that sd-webui gives to no upscaler."""
_MAX_SIDE = 1_000_000
Visibility = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ExtraSingleImage(BaseModel):
    """A picture and how to enlarge it, as sd-webui takes it. A field that sd-webui does not have is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str = Field(default="", description="an image file in base64, with or without `data:image/…;base64,` in front")
    resize_mode: Literal[0, 1] = Field(default=0, description="0: by `upscaling_resize`; 1: to the width and the height")
    upscaling_resize: float = Field(default=2, ge=1, le=MAX_SCALE, allow_inf_nan=False, description="the scale per side")
    upscaling_resize_w: int = Field(default=512, ge=1, le=_MAX_SIDE, description="pixels, for `resize_mode` 1")
    upscaling_resize_h: int = Field(default=512, ge=1, le=_MAX_SIDE, description="pixels, for `resize_mode` 1")
    upscaling_crop: bool = Field(
        default=True,
        description="for `resize_mode` 1: the result has exactly this size. Nothing is cut off here, so another aspect ratio than "
        "that of the picture is refused. If false, the result is the smallest that fills this size",
    )
    upscaler_1: str = Field(
        default=NONE,
        max_length=200,
        description="name of a loaded model, from /sdapi/v1/upscalers, or auto. None is the default model, because a picture "
        "that is not enlarged helps nobody",
    )
    upscaler_2: str = Field(default=NONE, max_length=200, description="refused if it is visible: pictures are not blended here")
    extras_upscaler_2_visibility: Visibility = 0
    gfpgan_visibility: Visibility = Field(default=0, description="refused unless 0: faces are not restored here")
    codeformer_visibility: Visibility = Field(default=0, description="refused unless 0: faces are not restored here")
    codeformer_weight: Visibility = Field(default=0, description="ignored, because it changes only CodeFormer")
    upscale_first: bool = Field(default=False, description="ignored, because it changes only the order with faces")
    show_extras_results: bool = Field(default=True, description="ignored, as sd-webui ignores it in its API")

    @classmethod
    def of(cls, data: bytes) -> ExtraSingleImage:
        """Return the request in a JSON body.

        Raises `ParameterError` if it is not JSON, not such a request, or asks for something that is not done here.
        """
        try:
            asked = cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = ".".join(map(str, first["loc"]))[:60]
            raise ParameterError(f"{name or 'the body'} cannot be used: {first['msg']}") from error
        asked._check()
        return asked

    def _check(self) -> None:
        if self.gfpgan_visibility or self.codeformer_visibility:
            raise ParameterError("faces are not restored here; send gfpgan_visibility and codeformer_visibility as 0")
        if self.upscaler_2 != NONE and self.extras_upscaler_2_visibility:
            raise ParameterError("pictures are not blended here; send extras_upscaler_2_visibility as 0")

    @property
    def model(self) -> str | None:
        """The name of the model, or `None` for the default one."""
        return None if self.upscaler_1 in ("", NONE) else self.upscaler_1

    def picture(self) -> bytes:
        """Return the bytes of the image file.

        Raises `ParameterError` if it is a URL or no base64, `ImageError` if it is empty, and `NotAnImageError` if its format is
        unknown.
        """
        if self.image.startswith(("http://", "https://")):
            raise ParameterError("the image is a URL, and pictures are not fetched for this route; send the file in base64")
        text = self.image.partition(",")[2] if self.image.startswith("data:") else self.image
        if not text:
            raise ImageError("the image is empty; send an image file in base64")
        try:
            return body.picture_in(binascii.a2b_base64(text), "")
        except ValueError as error:  # also if a character is not ASCII
            raise ParameterError(f"the image is not base64: {error}") from error

    def query(self, picture: bytes, max_pixels: int) -> UpscaleQuery:
        """Return the options for a picture. Results are PNG, as those of sd-webui are unless it is set up otherwise.

        Raises `ParameterError` if a part of the result would have to be cut off.
        """
        if self.resize_mode == 0:
            return UpscaleQuery(scale=self.upscaling_resize, format="png")
        width, height = self.upscaling_resize_w, self.upscaling_resize_h
        sized = UpscaleQuery(width=width, height=height, fitting="fill", format="png")
        if not self.upscaling_crop:
            return sized
        options = UpscaleOptions(width=width, height=height, fitting="fill")
        across, down = options.output_size(*codecs.read_size(picture, max_pixels), MAX_SCALE)
        if max(across - width, down - height) > 1:
            raise ParameterError(
                f"a picture that fills {width}x{height} has {across}x{down} pixels, and nothing is cut off here; send this size, "
                "or upscaling_crop as false"
            )
        return sized.model_copy(update={"fitting": "stretch"})


class ExtraSingleImageResult(BaseModel):
    """An enlarged picture, as sd-webui returns it."""

    html_info: str = Field(default="", description="empty; the headers of the answer say what was done")
    image: str = Field(description="a PNG file in base64")


class NamedUpscaler(BaseModel):
    """A loaded model, as sd-webui lists its upscalers."""

    model_config = ConfigDict(protected_namespaces=())

    name: str = Field(description="the name for `upscaler_1`")
    model_name: str | None = Field(description="always null, as are path and URL: they are not told to clients")
    model_path: str | None = None
    model_url: str | None = None
    scale: float | None = Field(description="the scale of the model; null if the content of the picture decides")


SCHEMAS = (ExtraSingleImage, ExtraSingleImageResult)
"""The objects of these routes that FastAPI does not describe by itself."""


@router.post(
    "/extra-single-image",
    summary="Upscale a picture in base64",
    response_class=Response,
    responses={
        200: {
            "description": "The upscaled picture, with the headers of `POST /v1/upscale`",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ExtraSingleImageResult"}}},
        },
        **problems(401, 404, 408, 413, 415, 422, 429, 503),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ExtraSingleImage"}}},
        }
    },
)
async def extra_single_image(request: Request, state: Shared, until: Until) -> Response:
    """Upscale the image in the body, under the limits of `POST /v1/upscale`.

    `--max-bytes` is for the whole JSON, which is a third larger than the file.
    """
    with ExitStack() as stack:
        ticket = stack.enter_context(state.admission.ticket())
        data = await body.read(request, state.settings, ticket)
        ticket.admit()
        parse = functools.partial(_parsed, data, state.settings.max_pixels)
        model, picture, query = await to_thread.run_sync(parse, limiter=state.short_threads)
        models = stack.enter_context(state.models.upscaling_models(model).in_use())
        prepared = await prepare(lambda: picture, query, state, models)
        result = await result_of(UpscaleCall(request, prepared, models, ticket, until), state)
        answer = await to_thread.run_sync(_written, result, limiter=state.short_threads)
        ticket.done()
        return PictureResponse((answer.data,), answer.headers, ticket, stack.pop_all().close)


def _parsed(data: bytes, max_pixels: int) -> tuple[str | None, bytes, UpscaleQuery]:
    asked = ExtraSingleImage.of(data)
    picture = asked.picture()
    return asked.model, picture, asked.query(picture, max_pixels)


def _written(result: CachedResult) -> CachedResult:
    encoded = base64.b64encode(result.data).decode()
    headers = {name: value for name, value in result.headers.items() if name != "Content-Disposition"}
    data = json.dumps({"html_info": "", "image": encoded}).encode()
    return CachedResult(data, {**headers, "Content-Type": "application/json", "Cache-Control": "no-store"})


@router.get("/upscalers", summary="List the upscalers", responses=problems(401, 503))
async def upscalers(state: Shared) -> list[NamedUpscaler]:
    """Return the loaded models that upscale, and auto if the content of a picture can choose among them."""
    registry = state.models
    found = [
        NamedUpscaler(name=name, model_name=None, scale=entry.upscaler.scale)
        for name, entry in registry.entries.items()
        if entry.upscaler is not None
    ]
    automatic = [NamedUpscaler(name=AUTO, model_name=None, scale=None)] if registry.candidates else []
    return automatic + found
