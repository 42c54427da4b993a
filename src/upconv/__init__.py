"""ONNX export and deployment for decoders that upsample."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.export import to_onnx
    from upconv.models import bundled
    from upconv.runtime import Upscaler

__all__ = ["Upscaler", "bundled", "to_onnx"]

__version__ = "0.1.0"

# Since 1.29, onnxruntime's wheels for Linux send names and hashes of models to Microsoft unless this variable is set when they
# are imported. To allow it, set the variable to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PACKAGES = ("cluster", "export", "models", "runtime", "service")
_HOMES = {"Upscaler": "runtime", "bundled": "models", "to_onnx": "export"}


def __getattr__(name: str) -> Any:
    # Imported on first use, so that `import upconv` is fast.
    if name in _PACKAGES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_PACKAGES])
