"""Community architectures, recognised by the names and shapes of their weights: spandrel's registry.

spandrel needs torchvision for two of its architectures, and imports all of them at once. Where torchvision is absent,
or built for another torch, those two are registered as never recognised, and the rest works.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

from upconv.runtime.errors import SourceError, first_line

NEED_TORCHVISION = ("LaMa", "RestoreFormer")
"""What spandrel 0.4 takes `torchvision.transforms.functional` for."""


class UnavailableArchitecture:
    """An architecture that recognises nothing."""

    def __init__(self, name: str) -> None:
        self.id = self.name = name

    def detect(self, state: dict[str, Any]) -> bool:
        """Never."""
        return False


def registry() -> Any:
    """Every architecture that can be loaded here; raises `SourceError` saying how to install spandrel."""
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
    """Architectures that are left out for want of torchvision."""
    return [name for name in NEED_TORCHVISION if not hasattr(sys.modules.get(f"spandrel.architectures.{name}"), "__file__")]


def _torchvision() -> bool:
    try:
        importlib.import_module("torchvision.transforms.functional")
    except Exception:  # ImportError where there is none; RuntimeError where it was built for another torch
        return False
    return True
