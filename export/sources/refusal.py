"""The reason why a source refuses its own example."""

from __future__ import annotations

from upconv.export.sources.forward_probe import refusal_of
from upconv.export.sources.source import Source


def refusal(source: Source) -> str:
    """Return the type and the first line of what the source raises for its example, or that an output is empty."""
    try:
        source.original.backend("float32").run(source.example)
    except Exception as error:  # a model may raise anything
        return refusal_of(error)
    return "its output is empty"
