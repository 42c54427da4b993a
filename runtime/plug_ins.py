"""Plug-ins of onnxruntime: packages that add an execution provider to an onnxruntime without it."""

from __future__ import annotations

import threading
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import onnxruntime as ort

from upconv.runtime.errors import ProviderError
from upconv.runtime.install_hints import package_command
from upconv.runtime.provider_faults import plain_reason
from upconv.runtime.provider_table import ProviderEntry

_REGISTERING = threading.Lock()


def is_installed(entry: ProviderEntry) -> bool:
    """Return whether the plug-in of a provider is installed. This loads nothing."""
    return entry.plug_in is not None and find_spec(entry.plug_in.module) is not None


def plug_in_devices(entry: ProviderEntry) -> tuple[Any, ...]:
    """Return the devices of this machine that a plug-in offers. Raises `ProviderError` if it cannot be loaded."""
    assert entry.plug_in is not None
    with _REGISTERING:  # it works once per process
        found = _registered(entry.name, entry.registered, entry.plug_in.package, entry.plug_in.module, entry.plug_in.library)
    wanted = entry.plug_in.device.items()
    return tuple(device for device in found if all(device.ep_metadata.get(key) == value for key, value in wanted))


@cache
def _registered(name: str, registered: str, package: str, module: str, library: str) -> tuple[Any, ...]:
    try:
        path = getattr(import_module(module), library)()
        ort.register_execution_provider_library(registered, str(path))
        found = ort.get_ep_devices()
    except Exception as error:  # the package raises its own errors and onnxruntime's, or this onnxruntime is too old
        raise ProviderError(
            f"the plug-in {package} {version_of(package)} for {name} cannot be loaded by onnxruntime {ort.__version__}: "
            f"{plain_reason(error)}; install versions that belong together: {package_command(f'--upgrade onnxruntime {package}')}"
        ) from error
    return tuple(device for device in found if device.ep_name == registered)


def version_of(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"
