"""The weights inside a checkpoint: the entry that holds them, and names without the prefixes of training frameworks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor

ENTRIES = (
    *("params_ema", "ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "g_ema", "params"),
    *("state_dict", "model_state_dict", "model", "generator", "net_g", "netG", "network", "net", "weights"),
)
"""The names of entries that hold weights, averaged weights first."""


def unwrapped(state: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the innermost entry with weights, and its path such as `model.params_ema`; the path is empty at the top."""
    if any(isinstance(value, Tensor) and value.ndim for value in state.values()):
        return dict(state), ""
    for name in ENTRIES:
        inner = state.get(name)
        if isinstance(inner, Mapping) and inner:
            found, path = unwrapped(inner)
            return found, f"{name}.{path}".rstrip(".")
    return dict(state), ""


def renamed(state: Mapping[str, Any], expected: Collection[str]) -> dict[str, Any]:
    """Return the weights under the names that a module expects.

    `torch.compile` and `DataParallel` put `_orig_mod.` and `module.` before names. Any other prefix before all expected
    names, such as Lightning's `model.`, is removed too, with the entries that do not have it. If all names fit without a
    prefix of the module's own, that is added.
    """
    plain = {key.replace("_orig_mod.", ""): value for key, value in state.items()}
    if not expected or set(expected) & set(plain):
        return plain
    prefix = _prefix(plain, expected)
    if prefix:
        return {key.removeprefix(prefix): value for key, value in plain.items() if key.startswith(prefix)}
    added = _prefix(expected, plain)
    return {f"{added}{key}": value for key, value in plain.items()}


def _prefix(longer: Collection[str], shorter: Collection[str]) -> str:
    """Return the prefix that turns most names of `shorter` into names of `longer`, averaged weights first; else nothing."""
    known = set(longer)
    first = next(iter(shorter))
    candidates = [key[: -len(first)] for key in longer if key.endswith(f".{first}")]
    votes = Counter({prefix: sum(f"{prefix}{key}" in known for key in shorter) for prefix in candidates})
    return max(candidates, key=lambda prefix: (votes[prefix], "ema" in prefix), default="")
