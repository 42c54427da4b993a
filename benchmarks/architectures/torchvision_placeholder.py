"""A placeholder for torchvision, which some packages import for layers that the tried networks do not use."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from typing import Any

from torch import nn


class PlaceholderKind(type):
    """The type of a layer that is an enumeration, too: every name in it is a member."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class PlaceholderModule(ModuleType):
    """A module whose every attribute is an empty layer."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        layer = PlaceholderKind(name, (nn.Module,), {})
        setattr(self, name, layer)
        return layer


class PlaceholderFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds torchvision and all modules in it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return a specification for names in torchvision."""
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return an empty placeholder."""
        return PlaceholderModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the placeholder as it is."""


def without_torchvision() -> None:
    """Install the placeholder if torchvision is missing. Packages that ask for its version still find none."""
    if importlib.util.find_spec("torchvision") is None:
        sys.meta_path.append(PlaceholderFinder())
