"""The query parameters of a picture, and the format of an Accept header."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from upconv.runtime import codecs
from upconv.runtime.options import MAX_SCALE, UpscaleOptions
from upconv.service.settings import Limits

_MAX_SIDE = 1_000_000


def _as_number(value: object) -> object:
    """Return the number in a text of digits, which a query holds, and anything else as it is."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5 else value


class UpscaleQuery(BaseModel):
    """The options of a picture, as query parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str | None = Field(
        default=None,
        max_length=200,
        description="name of a loaded model, or auto for the one that fits the picture; by default the first that upscales, or auto",
    )
    scale: float | None = Field(
        default=None,
        ge=1,
        le=MAX_SCALE,
        allow_inf_nan=False,
        description="output pixels per input pixel, per side, any number; by default that of the model",
    )
    width: int | None = Field(
        default=None, ge=1, le=_MAX_SIDE, description="pixels, instead of a scale; one side alone keeps the aspect ratio"
    )
    height: int | None = Field(
        default=None, ge=1, le=_MAX_SIDE, description="pixels, instead of a scale; one side alone keeps the aspect ratio"
    )
    fitting: Literal["stretch", "fit", "fill"] = Field(
        default="stretch",
        description="with a width and a height: stretch the picture to them, or keep its aspect ratio and make it the largest that "
        "fits into them or the smallest that fills them; nothing is cut off",
    )
    format: Literal["jpeg", "png", "webp", "avif", "tiff"] | None = Field(
        default=None, description="of the result; by default the only image type in Accept, or else the format of the picture"
    )
    quality: int = Field(default=90, ge=1, le=100, description="for JPEG, WebP and AVIF")
    lossless: bool = Field(
        default=False, description="for WebP and AVIF, instead of a quality; PNG and TIFF are always lossless"
    )
    metadata: Literal["keep", "strip"] = Field(
        default="keep", description="keep or strip EXIF, XMP and IPTC; the colour profile and the resolution are always kept"
    )
    profile: Literal["keep", "srgb"] = Field(
        default="keep", description="keep the colour profile, or convert the colours to sRGB"
    )
    colors: Annotated[Literal[2, 4, 16, 256] | None, BeforeValidator(_as_number)] = Field(
        default=None, description="most colours of a PNG, in a palette or as levels of grey; by default no limit"
    )
    border: Literal["mirror", "repeat", "wrap", "zero"] | None = Field(
        default=None,
        description="the pixels that the model sees beyond the border: the picture mirrored, its border pixel repeated, the "
        "opposite border (wrap, for textures that repeat) or black (zero); by default none, as the model was trained",
    )

    def options(self, limits: Limits) -> UpscaleOptions:
        """Return the options for `runtime.process`, under these limits.

        Raises `ParameterError` if a scale is combined with a width or a height.
        """
        options = self.model_dump(exclude={"model"})
        return UpscaleOptions(**options, max_pixels=limits.max_pixels, max_output_pixels=limits.max_output_pixels)


def accepted_format(accept: str) -> str | None:
    """Return the format of the only writable image type in an Accept header, or `None`."""
    offered = {codecs.MEDIA_TYPES[name]: name for name in codecs.WRITABLE}
    named = {
        offered[kind] for kind, *parameters in map(_parts, accept.split(",")) if kind in offered and "q=0" not in parameters
    }
    return named.pop() if len(named) == 1 else None


def _parts(entry: str) -> list[str]:
    return [part.strip().lower() for part in entry.split(";")]
