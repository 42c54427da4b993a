"""Execution providers: their options, and the check that onnxruntime does not fall back silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import onnxruntime as ort

from upconv.runtime import plug_ins
from upconv.runtime.errors import ProviderError
from upconv.runtime.provider_faults import plain_reason
from upconv.runtime.provider_table import ENTRIES, TABLE, WHEELS, ProviderEntry
from upconv.runtime.user_folders import cache_folder

NAMES: dict[str, str] = {entry.name: entry.registered for entry in ENTRIES}
"""onnxruntime's names of the providers."""


@dataclass(frozen=True)
class ProviderConcurrency:
    """The number of threads and the batch size that use a provider fully."""

    workers: int
    """The number of threads that call the provider."""
    batch: int
    """The number of tiles per run."""


def concurrency_for(name: str, cores: int) -> ProviderConcurrency:
    """Return the concurrency for a provider, by onnxruntime's name.

    An accelerator gets a few threads, which convert pixels while it computes. A processor gets a thread per core.
    """
    entry = TABLE[short_name(name)]
    return ProviderConcurrency(min(entry.workers or cores, cores), entry.batch)


def on_accelerator(name: str) -> bool:
    """Return whether a provider, by onnxruntime's name, computes beside the processor."""
    return TABLE[short_name(name)].accelerator


def entry_of(provider: str) -> ProviderEntry:
    """Return the row of a provider in the table. Raises `ProviderError` if the provider is unknown."""
    if provider not in TABLE:
        raise ProviderError(f"unknown provider {provider!r}; expected one of {', '.join(TABLE)}")
    return TABLE[provider]


def provider_options(provider: str, threads: int = 1, streams: int = 1) -> list[tuple[str, dict[str, Any]]]:
    """Return the `providers` argument of an `InferenceSession` for a provider that is built into onnxruntime.

    OpenVINO computes `streams` inputs at a time, each with `threads` threads; other providers have no such options.

    Raises `ProviderError` if the provider is unknown or not in the installed onnxruntime.
    """
    entry = entry_of(provider)
    available = ort.get_available_providers()
    if entry.registered not in available:
        raise ProviderError(
            f"{entry.registered} is not in this onnxruntime (it has {', '.join(available)}); {install_hint(entry)}"
        )
    # OpenVINO's provider queues the runs beyond `num_of_threads`, and by default it has one stream.
    threading = {"num_of_threads": threads * streams, "num_streams": streams} if provider == "openvino" else {}
    kept = engine_cache(cache_folder() / "tensorrt") if provider == "tensorrt" else {}
    return [(entry.registered, dict(entry.options) | threading | kept)]


def engine_cache(folder: Path) -> dict[str, Any]:
    """Return the options of TensorRT that keep engines and timings in `folder`; an empty mapping if it cannot be made.

    Without them, each process builds the engine of each model again, which takes up to minutes.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return {}
    names = ("trt_engine_cache", "trt_timing_cache")
    return {f"{name}_enable": 1 for name in names} | {f"{name}_path": str(folder) for name in names}


def attached(
    options: ort.SessionOptions, provider: str, threads: int = 1, streams: int = 1
) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the `providers` argument of an `InferenceSession`; `None` if a plug-in was added to `options` instead.

    Raises `ProviderError` if the provider is unknown or not installed.
    """
    entry = entry_of(provider)
    if entry.registered in ort.get_available_providers() or not plug_ins.is_installed(entry):
        return provider_options(provider, threads, streams)
    devices = plug_ins.plug_in_devices(entry)
    if not devices:
        assert entry.plug_in is not None
        raise ProviderError(f"the plug-in {entry.plug_in.package} has no device on this machine; {install_hint(entry)}")
    options.add_provider_for_devices([devices[0]], _plug_in_options(entry, threads, streams))
    return None


def _plug_in_options(entry: ProviderEntry, threads: int, streams: int) -> dict[str, str]:
    assert entry.plug_in is not None
    if entry.name != "openvino":
        return dict(entry.plug_in.options)
    # The plug-in takes OpenVINO's own properties only.
    properties = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": f"{threads * streams}",
        "NUM_STREAMS": f"{streams}",
    }
    return {"load_config": json.dumps({"CPU": properties})}


def installed() -> tuple[str, ...]:
    """Return the names of the providers that this onnxruntime and its plug-ins have."""
    return tuple(name for name in NAMES if _has(name))


def _has(provider: str) -> bool:
    try:
        attached(ort.SessionOptions(), provider)
    except ProviderError:
        return False
    return True


def install_hint(entry: ProviderEntry) -> str:
    """Return the commands of pip that install a provider here, and what it needs."""
    return f"{', or: '.join(entry.commands(installed_build()))} (needs {entry.needs})"


def installed_build() -> str:
    """Return the installed package of onnxruntime, of those in the table."""
    return next(filter(_is_installed, WHEELS), "onnxruntime")


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def verify(session: ort.InferenceSession, provider: str) -> None:
    """Raise `ProviderError` if onnxruntime fell back to another provider."""
    entry, running = entry_of(provider), session.get_providers()[0]
    if running != entry.registered:
        raise ProviderError(f"{entry.registered} could not start and onnxruntime fell back to {running}; {install_hint(entry)}")


def not_started(provider: str, error: BaseException) -> ProviderError:
    """Return the error of a provider that opens no session for a file that the processor opens."""
    entry = entry_of(provider)
    return ProviderError(f"{entry.registered} could not start: {plain_reason(error)}; {install_hint(entry)}")


def short_name(name: str) -> str:
    """Return upconv's name of a provider, such as `cpu`, from onnxruntime's name."""
    return next(short for short, long in NAMES.items() if long == name)
