"""OpenAPI descriptions of error responses."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from upconv.service.errors import KINDS, UNEXPECTED
from upconv.service.problem import MEDIA_TYPE, Problem

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """Return the error responses of a route under `/v1` for these statuses and for 500."""
    kinds = sorted({*KINDS.values(), UNEXPECTED}, key=lambda kind: kind.slug)
    answers: Responses = {}
    for status in (*statuses, UNEXPECTED.status):
        titles = "; ".join(kind.title for kind in kinds if kind.status == status)
        answers[status] = {
            "description": titles or HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}},
        }
        if status in (429, 503):
            answers[status]["headers"] = {
                "Retry-After": {"description": "seconds after which to retry", "schema": {"type": "integer"}}
            }
    return answers


def failures(*statuses: int) -> Responses:
    """Return the error responses of a route under `/v2` for these statuses and for 500."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}},
        }
        for status in (*statuses, 500)
    }
