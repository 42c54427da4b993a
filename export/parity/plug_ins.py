"""Backends of other packages, by entry points of the group `upconv.backends`.

    [project.entry-points."upconv.backends"]
    mine = "my_package:open_graph"      # takes an onnx.ModelProto, returns a Backend

The name of the entry point is the name of the backend. The object may have a function `missing()`, which returns why the
backend is not available on this machine, or `None`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

import numpy as np
import onnx

from upconv.export.backends import Array, Backend, rounds_to
from upconv.export.parity.parity_backend import OfGraph, ParityBackend
from upconv.runtime.errors import ExportError, UpconvError, first_line

T = TypeVar("T")

GROUP = "upconv.backends"
"""The group of the entry points."""


def plug_ins(taken: Collection[str] = ()) -> tuple[ParityBackend, ...]:
    """Return the installed plug-ins, sorted by name, without loading them.

    A plug-in whose name is in `taken` is named after its package, too.
    """
    found = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    return tuple(_backend(entry, f"{_package(entry)}:{entry.name}" if entry.name in taken else entry.name) for entry in found)


class PlugInBackend:
    """A backend of another package. Whatever it raises becomes an `ExportError` that names it."""

    def __init__(self, name: str, opener: OfGraph, model: onnx.ModelProto) -> None:
        self._backend: Backend = _guarded(f"{name} cannot open the graph", lambda: opener(model))
        self.name = str(getattr(self._backend, "name", name))
        self.version = str(getattr(self._backend, "version", "unknown"))
        self.level = str(getattr(self._backend, "level", "-"))
        self.rounds_to = rounds_to(self._backend)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Return the outputs as arrays; raises `ExportError` if the plug-in cannot compute them."""
        outputs = _guarded(f"{self.name} cannot run the graph", lambda: self._backend.run(inputs))
        return _guarded(f"{self.name} returns no arrays", lambda: [np.asarray(output) for output in outputs])


def _guarded(what: str, call: Callable[[], T]) -> T:
    try:
        return call()
    except UpconvError:
        raise
    except Exception as error:  # other people's code can raise anything
        raise ExportError(f"{what}: {first_line(error)}") from error


def _backend(entry: EntryPoint, name: str) -> ParityBackend:
    def open_graph(model: onnx.ModelProto) -> Backend:
        return PlugInBackend(name, entry.load(), model)

    return ParityBackend(name, open_graph, lambda subject: open_graph(subject.model), lambda _: _missing(entry))


def _missing(entry: EntryPoint) -> str | None:
    try:
        reason = getattr(entry.load(), "missing", lambda: None)()
    except Exception as error:
        return f"the plug-in cannot be loaded: {first_line(error)}; update or remove the package {_package(entry)}"
    return None if reason is None else str(reason)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else "unknown"
