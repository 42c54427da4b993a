"""Response headers that tell how a picture came about."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from upconv.runtime import Model, Processed, codecs

_SUFFIXES = {"jpeg": "jpg"}
_READABLE = " ;,:'()/%+"
"""What need not be percent-encoded in a header's value for it to stay one."""


def of_result(result: Processed, model: Model) -> dict[str, str]:
    """Type, model, its hash, provider, tiles, conversions."""
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
    """The value of Server-Timing."""
    return ", ".join(f"{stage};dur={max(value, 0) * 1000:.1f}" for stage, value in seconds.items())


def readable(text: str) -> str:
    """Percent-encoded as little as headers allow."""
    return quote(text, safe=_READABLE)
