"""Known causes of differences in single nodes, as docs/operators.md states them.

The conformance grid (`export/conformance/causes.py`) measures the same layers and shares the sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ANTIALIAS = "`antialias=True`: OpenVINO ignores `antialias` and `exclude_outside`"
"""OpenVINO and Resize with antialiasing."""
NEIGHBOUR = (
    "`nearest`, `nearest-exact` with a computed size: OpenVINO divides lengths by multiplying with the reciprocal, n * (1 / m), and "
    "takes a neighbouring pixel at one position in a row"
)
"""OpenVINO and Resize to the nearest pixel."""
ROUNDED_POSITION = (
    "`nearest`, `nearest-exact`: torch rounds `i / scale` to different pixels in float32 and float64. The runtime takes the pixels "
    "of float32, bit for bit. `export` refuses the sizes at which this happens, because they have no noise floor"
)
"""Resize to the nearest pixel with a fractional scale."""


@dataclass(frozen=True)
class KnownCause:
    """A cause and the nodes that it explains."""

    sentence: str
    operator: str
    applies: Callable[[str, Mapping[str, Any]], bool]
    """Takes the name of the backend and the attributes of the node."""


def known_cause(backend: str, operator: str, attributes: Mapping[str, Any]) -> str | None:
    """Return the sentence that explains why a node differs in a backend; `None` if no cause is known."""
    return next((c.sentence for c in KNOWN if c.operator == operator and c.applies(backend, attributes)), None)


def _openvino(backend: str) -> bool:
    return backend.startswith("openvino")


KNOWN: tuple[KnownCause, ...] = (
    KnownCause(
        ANTIALIAS, "Resize", lambda b, given: _openvino(b) and bool(given.get("antialias") or given.get("exclude_outside"))
    ),
    KnownCause(NEIGHBOUR, "Resize", lambda b, given: _openvino(b) and given.get("mode") == "nearest"),
    KnownCause(ROUNDED_POSITION, "Resize", lambda b, given: given.get("mode") == "nearest"),
)
"""The known causes. The first one that applies is quoted."""
