"""The product's code as syntax trees, and the table of offences that are known."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("cluster", "export", "models", "runtime", "service", "src/upconv/cli")
KNOWN = ROOT / "tests" / "house" / "known.txt"
"""Offences that are to disappear, one a line: `rule: offence`."""


@pytest.fixture(scope="session")
def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each module, by its path from the root."""
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py"))]
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in files}


@pytest.fixture
def check() -> Callable[[str, Iterable[str]], None]:
    """Return a function that fails if an offence is not known, or if a known one is none any more."""

    def compare(rule: str, offences: Iterable[str]) -> None:
        prefix = f"{rule}: "
        known = {line.removeprefix(prefix) for line in KNOWN.read_text().splitlines() if line.startswith(prefix)}
        found = set(offences)
        unknown, gone = sorted(found - known), sorted(known - found)
        assert not unknown, "\n".join(f"{prefix}{offence}" for offence in unknown)
        assert not gone, "not found any more, so take out of known.txt:\n" + "\n".join(f"{prefix}{line}" for line in gone)

    return compare
