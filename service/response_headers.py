"""Response headers that describe how a picture was computed."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from upconv.runtime import Model, Processed, codecs

_SUFFIXES = {"jpeg": "jpg"}
_READABLE = " ;,:'()/%+"
"""Characters that need no percent-encoding in a header's value."""


def of_result(result: Processed, model: Model) -> dict[str, str]:
    """Return the headers: type, model, its hash, provider, tiles, conversions."""
    headers = {
        "Content-Type": codecs.MEDIA_TYPES[result.format],
        "X-Upconv-Model": readable(model.contract.name),
        "X-Upconv-Model-SHA256": model.sha256,
        "X-Upconv-Provider": model.provider,
        "X-Upconv-Tiles": str(result.tiles),
        "Content-Disposition": f'inline; filename="upscaled.{_SUFFIXES.get(result.format, result.format)}"',
    }
    if result.conversions:
        headers["X-Upconv-Conversions"] = readable("; ".join(result.conversions))
    return headers


def timing(seconds: Mapping[str, float]) -> str:
    """Return the value of Server-Timing."""
    return ", ".join(f"{stage};dur={max(value, 0) * 1000:.1f}" for stage, value in seconds.items())


def readable(text: str) -> str:
    """Return text percent-encoded as little as headers allow."""
    return quote(text, safe=_READABLE)
