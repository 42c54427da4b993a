"""The options of an upscale as query parameters, and the Accept header."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from upconv.runtime import codecs
from upconv.runtime.options import MAX_SCALE, UpscaleOptions
from upconv.service.settings import Limits

_LONGEST_SIDE = 1_000_000


class UpscaleQuery(BaseModel):
    """The query parameters of an upscale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None, max_length=200, description="name of a loaded model; the default where none is given"
    )
    scale: float | None = Field(
        default=None,
        ge=1,
        le=MAX_SCALE,
        allow_inf_nan=False,
        description="enlargement per side, any number; the model's own where nothing is given",
    )
    width: int | None = Field(
        default=None, ge=1, le=_LONGEST_SIDE, description="pixels, instead of a scale; alone it keeps the shape"
    )
    height: int | None = Field(
        default=None, ge=1, le=_LONGEST_SIDE, description="pixels, instead of a scale; alone it keeps the shape"
    )
    format: Literal["jpeg", "png", "webp", "avif", "tiff"] | None = Field(
        default=None, description="of the result; otherwise the one image type that Accept names, otherwise that of the picture"
    )
    quality: int = Field(default=90, ge=1, le=100, description="for JPEG, WebP and AVIF")
    lossless: bool = Field(default=False, description="for WebP and AVIF, instead of a quality; PNG and TIFF always are")
    metadata: Literal["keep", "strip"] = Field(
        default="keep", description="whether EXIF, XMP and IPTC stay; the colour profile and the resolution always do"
    )
    profile: Literal["keep", "srgb"] = Field(
        default="keep", description="whether colours stay in the profile that they came in, or are converted to sRGB"
    )

    def options(self, limits: Limits) -> UpscaleOptions:
        """Return the options for `runtime.process`, under these limits.

        Raises `ParameterError` if a scale is combined with a width or a height.
        """
        asked = self.model_dump(exclude={"model"})
        return UpscaleOptions(**asked, max_pixels=limits.max_pixels, max_output_pixels=limits.max_output_pixels)


def accepted_format(accept: str) -> str | None:
    """Return the one writable image format in an Accept header, or `None` if there is not exactly one."""
    offered = {codecs.MEDIA_TYPES[name]: name for name in codecs.WRITABLE}
    named = {
        offered[kind] for kind, *parameters in map(_parts, accept.split(",")) if kind in offered and "q=0" not in parameters
    }
    return named.pop() if len(named) == 1 else None


def _parts(entry: str) -> list[str]:
    return [part.strip().lower() for part in entry.split(";")]
