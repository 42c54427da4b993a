"""The packages that upconv declares to need, for itself and for each extra."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from upconv.runtime.install_hints import NAME, checkout

_PACKAGE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[([^\]]*)\])?\s*(?:\(?>=\s*([0-9.]+))?")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


@dataclass(frozen=True)
class Requirement:
    """One declared package."""

    package: str
    """Its name for pip."""
    least: str
    """The oldest version that works; empty if every version does."""
    extra: str = ""
    """The extra that needs it; empty if upconv itself does."""
    brings: str = ""
    """The extra of upconv that it stands for, if the package is upconv itself."""


def declared() -> tuple[Requirement, ...]:
    """Return what this version of upconv needs: from its checkout, or from the metadata of the installation."""
    root = checkout()
    lines = _of_metadata() if root is None else _of_project(root / "pyproject.toml")
    return tuple(_parsed(text, extra) for text, extra in lines)


def packages_of(extra: str, all_of: Iterable[Requirement]) -> list[Requirement]:
    """Return the packages of an extra, with those of the extras that it brings. An empty `extra` stands for upconv itself."""
    known = tuple(all_of)
    own = [each for each in known if each.extra == extra]
    brought = [each.brings for each in own if each.brings and each.brings != extra]
    return [each for each in own if not each.brings] + [each for name in brought for each in packages_of(name, known)]


def _of_metadata() -> Iterator[tuple[str, str]]:
    try:
        lines = requires(NAME) or []
    except PackageNotFoundError:
        return
    for line in lines:
        found = _EXTRA.search(line)
        yield line, found[1] if found else ""


def _of_project(file: Path) -> Iterator[tuple[str, str]]:
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        yield line, ""
    for extra, lines in project["optional-dependencies"].items():
        for line in lines:
            yield line, extra


def _parsed(text: str, extra: str) -> Requirement:
    found = _PACKAGE.match(text)
    assert found is not None, text
    package, extras, least = found[1].lower(), found[2] or "", found[3] or ""
    return Requirement(package, least, extra, extras if package == NAME else "")
