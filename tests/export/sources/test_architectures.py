from __future__ import annotations

import re
import sys
from types import ModuleType

import pytest

from upconv.export.sources import architectures
from upconv.export.sources.architectures import NEED_TORCHVISION, UnavailableArchitecture, absent, registry
from upconv.runtime.errors import SourceError
from upconv.runtime.install_hints import install_command


def test_a_placeholder_recognises_nothing() -> None:
    placeholder = UnavailableArchitecture("LaMa")
    assert (placeholder.id, placeholder.name) == ("LaMa", "LaMa")
    assert not placeholder.detect({"weight": None})


def test_without_torchvision_placeholders_stand_in_and_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    spandrel = ModuleType("spandrel")
    spandrel.MAIN_REGISTRY = object()  # type: ignore[attr-defined]

    class Finder:
        """An importer that loads this spandrel, after the placeholders are in place."""

        def find_spec(self, name: str, *_: object) -> None:
            if name == "spandrel":
                raise ImportError("no spandrel here")

    for name in NEED_TORCHVISION:
        monkeypatch.delitem(sys.modules, f"spandrel.architectures.{name}", raising=False)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    monkeypatch.setattr(architectures, "_torchvision", lambda: False)
    before = set(sys.modules)
    try:
        with pytest.raises(SourceError, match=rf"no spandrel here.*{re.escape(install_command('spandrel'))}"):
            registry()
        assert absent() == list(NEED_TORCHVISION)
        made = sys.modules["spandrel.architectures.LaMa"].LaMaArch()
        assert isinstance(made, UnavailableArchitecture)
        assert made.name == "LaMa"
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]
    monkeypatch.setitem(sys.modules, "spandrel", spandrel)
    assert registry() is spandrel.MAIN_REGISTRY
