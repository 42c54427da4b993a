"""One way to run a subject: a built-in runtime, a plug-in, or recorded outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import onnx

from upconv.export.backends import Backend
from upconv.export.parity.subject import ParitySubject

OfGraph = Callable[[onnx.ModelProto], Backend]
Listed = Literal["always", "if available", "on request"]
"""The comparisons without named backends that list a backend."""


@dataclass(frozen=True)
class ParityBackend:
    """One way to run a subject."""

    name: str
    """The value of `--backend`. The part before the colon selects all backends that start with it."""
    of_graph: OfGraph | None
    """Opens any graph; `None` if the backend runs the torch module itself."""
    of_subject: Callable[[ParitySubject], Backend]
    """Opens a subject in this backend."""
    missing: Callable[[ParitySubject], str | None] = lambda _: None
    """Returns why the backend is not available here and what to do about it; `None` if it is available."""
    listed: Listed = "always"
    """The comparisons without named backends that it is part of."""
