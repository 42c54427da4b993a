"""The HTTP service: exported models behind FastAPI."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.service.app import create_app
    from upconv.service.server import serve
    from upconv.service.settings import Settings

__all__ = ["Settings", "create_app", "serve"]

_MODULES = {"Settings": "settings", "create_app": "app", "serve": "server"}


def __getattr__(name: str) -> Any:
    # Imports are lazy because the client, in this package too, needs neither FastAPI nor onnxruntime.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
