"""What OpenAPI says where FastAPI cannot know it: bodies and answers that are images, and problems."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from upconv.runtime import codecs
from upconv.service import examples
from upconv.service.body import FILE_FIELD, FORM
from upconv.service.errors import KINDS, UNEXPECTED
from upconv.service.inference_protocol.openapi import SCHEMAS
from upconv.service.problem import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]

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
"""The answer of routes that give a picture."""


NOT_MODIFIED: dict[str, Any] = {"description": "The client has this result: If-None-Match named its ETag"}


def problems(*statuses: int) -> Responses:
    """The answers of a route that can fail in these ways, and unexpectedly."""
    kinds = sorted({*KINDS.values(), UNEXPECTED}, key=lambda kind: kind.slug)
    answers: Responses = {}
    for status in (*statuses, UNEXPECTED.status):
        titles = "; ".join(kind.title for kind in kinds if kind.status == status)
        answers[status] = {
            "description": titles,
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
        if status in (429, 503):
            answers[status]["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return answers


def complete(app: FastAPI) -> None:
    """Add to the app's OpenAPI what `problems` refers to, and take out FastAPI's own errors, which are never sent."""
    description = app.openapi()
    schemas = description["components"]["schemas"]
    for operation in (each for path in description["paths"].values() for each in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for model in (Problem, *SCHEMAS):
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    examples.add(description)
