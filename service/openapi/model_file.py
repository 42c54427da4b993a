"""OpenAPI descriptions of responses that are model files."""

from __future__ import annotations

from typing import Any

_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

MODEL_FILE: dict[str, Any] = {
    "description": "The .onnx file",
    "content": _BINARY,
    "headers": {"ETag": {"description": "SHA-256 of the file", "schema": {"type": "string"}}},
}
"""The response of the route that returns a model file."""

PART_OF_FILE: dict[str, Any] = {"description": "The requested range of bytes", "content": _BINARY}
"""The response to a request for a range of its bytes."""
