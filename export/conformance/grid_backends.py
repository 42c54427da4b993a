"""The backends of the grid: those of `upconv parity` that run in float32 on any machine."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from upconv.export.backends import Backend
from upconv.export.parity.backend_choice import RUNTIMES
from upconv.export.parity.runtime_folder import runtimes_in

SERVED = "onnxruntime:all"
"""The backend that the service uses."""

_TRIED = ("onnxruntime:disabled", SERVED, "reference:float32", "openvino:float32", "ncnn:float32")


@dataclass(frozen=True)
class GridBackend:
    """One backend of the grid."""

    name: str
    """The name for `upconv parity --backend`."""
    open: Callable[[onnx.ModelProto], Backend]
    """Opens a graph. Raises `ExportError` if the runtime cannot open it."""


def present(folder: Path | None = None) -> tuple[GridBackend, ...]:
    """Return the installed backends and those of a folder (`parity/runtime_folder.py`), in the order of the report."""
    opened = {runtime.name: runtime.of_graph for runtime in RUNTIMES}
    found = [(name, opened[name]) for name in _TRIED if _installed(name)]
    found += [(runtime.name, runtime.of_graph) for runtime in (runtimes_in(folder) if folder is not None else ())]
    return tuple(GridBackend(name, opener) for name, opener in found if opener is not None)


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name.split(":")[0]) is not None or name.startswith("reference")
