"""The architectures of spandrel's registry, recognised by the names and shapes of their weights.

spandrel needs torchvision for two of its architectures, and imports all architectures at once. If torchvision is missing,
or built for another torch, those two are replaced by placeholders, and the others work.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from upconv.runtime.errors import SourceError, first_line
from upconv.runtime.install_hints import install_command

NEED_TORCHVISION = ("LaMa", "RestoreFormer")
"""The architectures of spandrel 0.4 that import `torchvision.transforms.functional`."""


class UnavailableArchitecture:
    """A placeholder for an architecture, which recognises no weights."""

    def __init__(self, name: str) -> None:
        self.id = self.name = name

    def detect(self, state: dict[str, Any]) -> bool:
        """Return False for any weights."""
        return False


def registry() -> Any:
    """Return spandrel's registry; raises `SourceError` if spandrel cannot be imported."""
    if "spandrel" not in sys.modules and not _torchvision():
        for name in NEED_TORCHVISION:
            module = ModuleType(f"spandrel.architectures.{name}")
            setattr(module, f"{name}Arch", lambda name=name: UnavailableArchitecture(name))
            sys.modules[module.__name__] = module
    try:
        import spandrel
    except Exception as error:
        raise SourceError(
            f"spandrel, which recognises checkpoints, cannot be imported ({first_line(error)}); "
            f"{install_command('spandrel')}, or without torchvision: pip install einops && pip install --no-deps spandrel"
        ) from error
    return spandrel.MAIN_REGISTRY


def absent() -> list[str]:
    """Return the names of the architectures that are replaced because torchvision is missing."""
    return [name for name in NEED_TORCHVISION if not hasattr(sys.modules.get(f"spandrel.architectures.{name}"), "__file__")]


def _torchvision() -> bool:
    try:
        importlib.import_module("torchvision.transforms.functional")
    except Exception:  # ImportError if it is missing; RuntimeError if it was built for another torch
        return False
    return True
