"""The runtime: it opens exported models and upscales pictures with them, without torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.runtime.auto_upscaler import AutoUpscaler
    from upconv.runtime.contract import Contract
    from upconv.runtime.engine import Engine
    from upconv.runtime.errors import UpconvError
    from upconv.runtime.options import UpscaleOptions
    from upconv.runtime.picture import Picture
    from upconv.runtime.processing import Processed, process
    from upconv.runtime.session import Model, open_model
    from upconv.runtime.upscaler import Upscaler

__all__ = [
    "AutoUpscaler",
    "Contract",
    "Engine",
    "Model",
    "Picture",
    "Processed",
    "UpconvError",
    "UpscaleOptions",
    "Upscaler",
    "open_model",
    "process",
]

_HOMES = {
    "AutoUpscaler": "auto_upscaler",
    "Contract": "contract",
    "Engine": "engine",
    "Model": "session",
    "Picture": "picture",
    "Processed": "processing",
    "UpconvError": "errors",
    "UpscaleOptions": "options",
    "Upscaler": "upscaler",
    "open_model": "session",
    "process": "processing",
}


def __getattr__(name: str) -> Any:
    # Names are imported when they are first used: importing `upconv.runtime.errors` must not load onnxruntime.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
