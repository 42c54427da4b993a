"""OpenAPI descriptions of requests and responses that are images."""

from __future__ import annotations

from typing import Any

from upconv.runtime import codecs
from upconv.service.body import FILE_FIELD, FORM

_BINARY = {"schema": {"type": "string", "format": "binary"}}

PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"An image ({', '.join(codecs.FORMATS)}): its bytes, or a form with one file.",
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
    "Server-Timing": "milliseconds in the queue and in decode, infer and encode",
    "X-Upconv-Model": "name of the model, percent-encoded",
    "X-Upconv-Chosen-For": "if the model was chosen by the content of the picture: what was found, percent-encoded",
    "X-Upconv-Model-SHA256": "hash of the model file",
    "X-Upconv-Provider": "execution provider that computed the result",
    "X-Upconv-Tiles": "number of computed tiles",
    "X-Upconv-Conversions": "properties of the picture that the result could not keep, separated by semicolons",
    "X-Upconv-Conversion-Keys": "the same as a JSON array: the `key` of each phrase, which never changes its meaning, and its `values`",
    "X-Upconv-Cache": "hit, if the result comes from the cache",
    "ETag": "hash of the picture, the parameters and the model",
    "X-Request-Id": "the id of the request, or a new one; also in the log",
}

PICTURE: dict[str, Any] = {
    "description": "The upscaled picture",
    "content": {codecs.MEDIA_TYPES[name]: _BINARY for name in codecs.WRITABLE},
    "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()},
}
"""The response of routes that return a picture."""

NOT_MODIFIED: dict[str, Any] = {"description": "The client has this result: If-None-Match named its ETag"}
