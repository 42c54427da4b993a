"""The architectures of community checkpoints. spandrel's registry recognises them by their weights.

spandrel needs torchvision for two of its architectures, and imports all of them at once. If torchvision is missing, or
built for another torch, these two are registered as never recognised, and the others work.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from upconv.runtime.errors import SourceError, first_line

NEED_TORCHVISION = ("LaMa", "RestoreFormer")
"""The parts of spandrel 0.4 that use `torchvision.transforms.functional`."""


class UnavailableArchitecture:
    """An architecture that recognises no checkpoint."""

    def __init__(self, name: str) -> None:
        self.id = self.name = name

    def detect(self, state: dict[str, Any]) -> bool:
        """Return `False` for every checkpoint."""
        return False


def registry() -> Any:
    """Return every architecture that can be loaded here; raises `SourceError` if spandrel is not installed."""
    if "spandrel" not in sys.modules and not _torchvision():
        for name in NEED_TORCHVISION:
            module = ModuleType(f"spandrel.architectures.{name}")
            setattr(module, f"{name}Arch", lambda name=name: UnavailableArchitecture(name))
            sys.modules[module.__name__] = module
    try:
        import spandrel
    except Exception as error:
        raise SourceError(
            f"checkpoints are recognised by spandrel, which cannot be imported ({first_line(error)}); "
            "pip install 'upconv[spandrel]', or without torchvision: pip install einops && pip install --no-deps spandrel"
        ) from error
    return spandrel.MAIN_REGISTRY


def absent() -> list[str]:
    """Return the names of the architectures that are left out because torchvision is missing."""
    return [name for name in NEED_TORCHVISION if not hasattr(sys.modules.get(f"spandrel.architectures.{name}"), "__file__")]


def _torchvision() -> bool:
    try:
        importlib.import_module("torchvision.transforms.functional")
    except Exception:  # ImportError if there is no torchvision; RuntimeError if it was built for another torch
        return False
    return True
