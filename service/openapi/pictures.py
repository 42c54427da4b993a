"""The OpenAPI description of bodies and answers that are images."""

from __future__ import annotations

from typing import Any

from upconv.runtime import codecs
from upconv.service.body import FILE_FIELD, FORM

_BINARY = {"schema": {"type": "string", "format": "binary"}}

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"An image ({', '.join(codecs.FORMATS)}): its bytes as they are, or a form with one file.",
        "content": {
            "image/*": _BINARY,
            "application/octet-stream": _BINARY,
            FORM: {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "additionalProperties": False,
                    "properties": {FILE_FIELD: _BINARY["schema"]},
                }
            },
        },
    }
}
"""The request body of routes that take a picture."""

_HEADERS = {
    "Server-Timing": "milliseconds waited for a thread (queue), and taken by decode, infer and encode",
    "X-Upconv-Model": "name of the model, percent-encoded",
    "X-Upconv-Model-SHA256": "hash of the model file",
    "X-Upconv-Provider": "execution provider that really ran",
    "X-Upconv-Tiles": "tiles computed",
    "X-Upconv-Conversions": "what could not be kept of the picture, if anything; separated by semicolons",
    "X-Upconv-Cache": "hit, where the result was computed before",
    "ETag": "the same for the same picture, parameters and model",
    "X-Request-Id": "the request's own, or a new one; also in the log",
}

PICTURE: dict[str, Any] = {
    "description": "The enlarged picture",
    "content": {codecs.MEDIA_TYPES[name]: _BINARY for name in codecs.WRITABLE},
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
}
"""The answer of routes that return a picture."""

NOT_MODIFIED: dict[str, Any] = {"description": "The client has this result: If-None-Match named its ETag"}
