"""Response headers that describe how a picture was computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from upconv.runtime import Processed, codecs
from upconv.runtime.conversions import Conversion
from upconv.service.registry import ServedModel

_SUFFIXES = {"jpeg": "jpg"}
_SAFE_CHARACTERS = " ;,:'()/%+"
"""Characters that are not percent-encoded, although `quote` would encode them."""


def of_result(result: Processed, entry: ServedModel) -> dict[str, str]:
    """Return the headers of a result: media type, model, why it was chosen, hash, provider, tiles and conversions."""
    model = entry.model
    headers = {
        "Content-Type": codecs.MEDIA_TYPES[result.format],
        "X-Upconv-Model": readable(model.contract.name),
        "X-Upconv-Model-SHA256": model.sha256,
        "X-Upconv-Provider": entry.provider,
        "X-Upconv-Tiles": str(result.tiles),
        "Content-Disposition": f'inline; filename="upscaled.{_SUFFIXES.get(result.format, result.format)}"',
    }
    if result.choice is not None:
        headers["X-Upconv-Chosen-For"] = readable(result.choice.reason)
    if result.conversions:
        headers["X-Upconv-Conversions"] = readable("; ".join(result.conversions))
        headers["X-Upconv-Conversion-Keys"] = json.dumps([_keyed(each) for each in result.conversions], separators=(",", ":"))
    return headers


def _keyed(conversion: Conversion) -> dict[str, Any]:
    return {"key": conversion.key, "values": conversion.values} if conversion.values else {"key": conversion.key}


def timing(seconds: Mapping[str, float]) -> str:
    """Return the value of the Server-Timing header, in milliseconds per stage."""
    return ", ".join(f"{stage};dur={max(value, 0) * 1000:.1f}" for stage, value in seconds.items())


def readable(text: str) -> str:
    """Return a text with only those characters percent-encoded that a header cannot hold."""
    return quote(text, safe=_SAFE_CHARACTERS)
