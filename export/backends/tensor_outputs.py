"""The tensors in the result of a module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves


def tensors_of(result: Any) -> list[Tensor]:
    """Return every tensor in `result`, in order: in containers, dataclasses, and objects with attributes."""
    if isinstance(result, Tensor):
        return [result]
    return [tensor for part in _parts(result) for tensor in tensors_of(part)]


def _parts(result: Any) -> list[Any]:
    if isinstance(result, Mapping):
        return list(result.values())
    if isinstance(result, (list, tuple)):
        return list(result)
    if is_dataclass(result) and not isinstance(result, type):
        return [getattr(result, field.name) for field in fields(result)]
    leaves = tree_leaves(result)
    if leaves != [result]:  # a container that a library registered with torch
        return leaves
    return [] if isinstance(result, type) else list(getattr(result, "__dict__", {}).values())
