"""The record that the object of a result carries in its metadata.

The bucket writes both at once, so it needs no journal beside it.
The text is ASCII on one line and at most 1,800 bytes, because S3 allows 2,048 bytes of metadata.
"""

from __future__ import annotations

import json
from typing import Any

from upconv.runtime.model_choice import ModelChoice

LONGEST = 1800
"""Bytes of the longest record."""


def complete(
    origin: dict[str, Any] | None,
    before: tuple[int, ...],
    after: tuple[int, ...],
    conversions: tuple[str, ...],
    choice: ModelChoice | None,
) -> str | None:
    """Return the record of a result that is about to be written; `None` if the result has no `origin`.

    Conversions that do not fit are left out.
    """
    if origin is None:
        return None
    result: dict[str, Any] = {**origin, "from": before, "to": after, "conversions": conversions}
    if choice is not None:
        result["chosen"] = [choice.name, choice.reason]
    text = _line(result)
    return text if len(text) <= LONGEST else _line(result | {"conversions": []})


def parsed(record: str | None) -> dict[str, Any]:
    """Return what a record states; an empty one if there is none that can be read."""
    try:
        found = json.loads(record or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _line(record: dict[str, Any]) -> str:
    return " ".join(json.dumps(record, separators=(",", ":")).split())
