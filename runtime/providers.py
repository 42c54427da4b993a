"""Execution providers, strictly: what was asked for runs, or nothing does."""

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
"""How onnxruntime calls them."""
OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {},
    # An exhaustive search runs again for every new shape (634 ms against 1.9); an arena that doubles never shrinks.
    # TF32 keeps ten bits of the mantissa: faster, and another function than the one that was checked.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": 0},
    # Left to itself it computes in bf16 on processors that can.
    "openvino": {"device_type": "CPU", "precision": "FP32", "num_of_threads": 1},
}
"""What they are told."""
_INSTALL = {
    "cpu": "pip install 'upconv[cpu]'",
    "cuda": "pip install 'upconv[cuda]' on a machine with an NVIDIA driver",
    "openvino": "pip install onnxruntime-openvino instead of onnxruntime",
}


@dataclass(frozen=True)
class ProviderConcurrency:
    """How the engine keeps a provider busy."""

    workers: int
    batch: int
    """Tiles that are computed at once: on a processor a batch takes as long as its tiles one by one (docs/engine.md)."""


def concurrency_for(name: str, cores: int) -> ProviderConcurrency:
    """For onnxruntime's provider of this name: an accelerator is fed by a few threads that convert pixels meanwhile."""
    return ProviderConcurrency(min(4, cores), 4) if name == NAMES["cuda"] else ProviderConcurrency(cores, 1)


def provider_options(provider: str) -> list[tuple[str, dict[str, Any]]]:
    """The `providers` argument of an `InferenceSession`; raises `ProviderError` where it cannot be met."""
    if provider not in NAMES:
        raise ProviderError(f"unknown provider {provider!r}; expected one of {', '.join(NAMES)}")
    name = NAMES[provider]
    available = ort.get_available_providers()
    if name not in available:
        raise ProviderError(f"{name} is not in this onnxruntime (it has {', '.join(available)}); {_INSTALL[provider]}")
    return [(name, OPTIONS[provider])]


def verify(session: ort.InferenceSession, provider: str) -> None:
    """Raise `ProviderError` where onnxruntime fell back to another provider than the one asked for."""
    running = session.get_providers()[0]
    if running != NAMES[provider]:
        raise ProviderError(f"{NAMES[provider]} could not start and onnxruntime fell back to {running}; {_INSTALL[provider]}")


def short_name(name: str) -> str:
    """What onnxruntime's provider of this name is called here."""
    return next(short for short, long in NAMES.items() if long == name)
