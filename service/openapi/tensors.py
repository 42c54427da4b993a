"""OpenAPI descriptions of the requests and responses of `/v2` that hold tensors."""

from __future__ import annotations

from typing import Any

from upconv.service.inference_protocol.messages import Failure, InferRequest, InferResponse
from upconv.service.inference_protocol.request import LENGTH_HEADER

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_LENGTH = "bytes of JSON at the start of the body; binary tensors follow"

INFER_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"JSON; with the header {LENGTH_HEADER}, JSON followed by binary tensors. If the header is 0: one tensor "
        "without JSON, or an image file if the model upscales. The body may be compressed by gzip or deflate.",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}},
            "application/octet-stream": _BINARY,
        },
    },
    "parameters": [
        {
            "name": LENGTH_HEADER,
            "in": "header",
            "required": False,
            "description": _LENGTH,
            "schema": {"type": "integer", "minimum": 0},
        }
    ],
}

INFER_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The outputs",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferResponse"}},
            "application/octet-stream": _BINARY,
        },
        "headers": {LENGTH_HEADER: {"description": _LENGTH, "schema": {"type": "integer"}}},
    }
}

SCHEMAS = (InferRequest, InferResponse, Failure)
"""The models that these descriptions refer to."""
