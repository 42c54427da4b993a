"""Tiles that other machines compute, over the Open Inference Protocol."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.runtime.remote.endpoint import EndpointReport
    from upconv.runtime.remote.remote_executor import RemoteExecutor
    from upconv.runtime.remote.remote_options import RemoteOptions

__all__ = ["EndpointReport", "RemoteExecutor", "RemoteOptions"]

_HOMES = {"EndpointReport": "endpoint", "RemoteExecutor": "remote_executor", "RemoteOptions": "remote_options"}


def __getattr__(name: str) -> Any:
    # As in `upconv.runtime`: the settings of the service check URLs without loading numpy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
