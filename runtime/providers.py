"""Execution providers: their options, and the check that onnxruntime does not fall back silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import onnxruntime as ort

from upconv.runtime.errors import ProviderError

Provider = Literal["cpu", "cuda", "openvino"]

NAMES: dict[str, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""onnxruntime's names of the providers."""
OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {},
    # An exhaustive search runs again for every new shape (634 ms instead of 1.9). An arena that doubles never shrinks.
    # TF32 has a mantissa of ten bits: it is faster, but the export has not checked that its output is equal.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": 0},
    # By default it computes in bf16 on processors that support it.
    "openvino": {"device_type": "CPU", "precision": "FP32", "num_of_threads": 1},
}
"""Options of each provider."""
_INSTALL = {
    "cpu": "pip install 'upconv[cpu]'",
    "cuda": "pip install 'upconv[cuda]' on a machine with an NVIDIA driver",
    "openvino": "pip install onnxruntime-openvino instead of onnxruntime",
}


@dataclass(frozen=True)
class ProviderConcurrency:
    """The number of threads and the batch size that use a provider fully."""

    workers: int
    """The number of threads that call the provider."""
    batch: int
    """The number of tiles per run. On a processor it is 1, because a batch takes as long as its tiles one by one
    (docs/engine.md)."""


def concurrency_for(name: str, cores: int) -> ProviderConcurrency:
    """Return the concurrency for a provider, by onnxruntime's name.

    An accelerator gets a few threads, which convert pixels while it computes. A processor gets a thread per core.
    """
    return ProviderConcurrency(min(4, cores), 4) if name == NAMES["cuda"] else ProviderConcurrency(cores, 1)


def provider_options(provider: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the `providers` argument of an `InferenceSession`.

    Raises `ProviderError` if the provider is unknown or not in the installed onnxruntime.
    """
    if provider not in NAMES:
        raise ProviderError(f"unknown provider {provider!r}; expected one of {', '.join(NAMES)}")
    name = NAMES[provider]
    available = ort.get_available_providers()
    if name not in available:
        raise ProviderError(f"{name} is not in this onnxruntime (it has {', '.join(available)}); {_INSTALL[provider]}")
    return [(name, OPTIONS[provider])]


def verify(session: ort.InferenceSession, provider: str) -> None:
    """Raise `ProviderError` if onnxruntime fell back to another provider."""
    running = session.get_providers()[0]
    if running != NAMES[provider]:
        raise ProviderError(f"{NAMES[provider]} could not start and onnxruntime fell back to {running}; {_INSTALL[provider]}")


def short_name(name: str) -> str:
    """Return upconv's name of a provider, such as `cpu`, from onnxruntime's name."""
    return next(short for short, long in NAMES.items() if long == name)
