"""ONNX export and deployment for decoders that upsample."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.export import export
    from upconv.models import bundled
    from upconv.runtime import Upscaler

__all__ = ["Upscaler", "bundled", "export"]

__version__ = "0.1.0"

# onnxruntime's wheels for Linux tell Microsoft about every session since 1.29 unless this says no when they are imported:
# names and hashes of models, which are not ours to tell. Whoever wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_HOMES = {"Upscaler": "runtime", "bundled": "models"}


def __getattr__(name: str) -> Any:
    # Importing the package loads nothing that is slow.
    if name == "export":
        return import_module(f"{__name__}.export")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
