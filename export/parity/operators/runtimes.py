"""The runtimes that the grid is tried in; another one is another entry."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import onnx

from upconv.export.parity.backends import Backend, OnnxruntimeBackend, ReferenceBackend

SERVED = "onnxruntime cpu, all"
"""The runtime as it serves: what it computes is what must be right."""


@dataclass(frozen=True)
class Runtime:
    """A way to run a graph."""

    name: str
    """With its optimisation level, where it has several."""
    open: Callable[[onnx.ModelProto], Backend]
    """Raises `ExportError` where the runtime cannot open a graph."""


def present() -> tuple[Runtime, ...]:
    """The runtimes that are installed."""
    found = [
        Runtime("onnxruntime cpu, disabled", lambda model: OnnxruntimeBackend(model, "disabled")),
        Runtime(SERVED, lambda model: OnnxruntimeBackend(model, "all")),
        Runtime("onnx reference", lambda model: ReferenceBackend(model, "float32")),
    ]
    where = "upconv.export.parity.backends.openvino_model"
    if importlib.util.find_spec("openvino") and importlib.util.find_spec(where):
        backend = importlib.import_module(where).OpenvinoBackend
        found.append(Runtime("openvino cpu", lambda model: backend(model)))
    return tuple(found)
