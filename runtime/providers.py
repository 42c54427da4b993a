"""Execution providers, strictly: what was asked for runs, or nothing does."""

from __future__ import annotations

from typing import Any, Literal

import onnxruntime as ort

from upconv.runtime.errors import ProviderError

Provider = Literal["cpu", "cuda"]

NAMES: dict[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
"""How onnxruntime calls them."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {},
    # An exhaustive search runs again for every new shape (634 ms against 1.9); an arena that doubles never shrinks.
    "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested", "use_tf32": 0},
}
_INSTALL = {"cpu": "pip install 'upconv[cpu]'", "cuda": "pip install 'upconv[cuda]' on a machine with an NVIDIA driver"}


def request(provider: str) -> list[tuple[str, dict[str, Any]]]:
    """The `providers` argument of an `InferenceSession`; raises `ProviderError` where it cannot be met."""
    if provider not in NAMES:
        raise ProviderError(f"unknown provider {provider!r}; expected one of {', '.join(NAMES)}")
    name = NAMES[provider]
    available = ort.get_available_providers()
    if name not in available:
        raise ProviderError(f"{name} is not in this onnxruntime (it has {', '.join(available)}); {_INSTALL[provider]}")
    return [(name, _OPTIONS[provider])]


def verify(session: ort.InferenceSession, provider: str) -> None:
    """Raise `ProviderError` where onnxruntime fell back to another provider than the one asked for."""
    running = session.get_providers()[0]
    if running != NAMES[provider]:
        raise ProviderError(f"{NAMES[provider]} could not start and onnxruntime fell back to {running}; {_INSTALL[provider]}")


def short_name(name: str) -> str:
    """What onnxruntime's provider of this name is called here."""
    return next(short for short, long in NAMES.items() if long == name)
