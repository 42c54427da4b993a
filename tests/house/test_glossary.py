"""Each term of the glossary stands once, and what carries it exists."""

from __future__ import annotations

import dataclasses
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| ", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)


def carrier(name: str) -> Any:
    """Return the module, class, function or field that a dotted name leads to, or raise `AttributeError`."""
    found: Any = import_module("upconv")
    for part in name.split("."):
        fields = {field.name: field for field in dataclasses.fields(found)} if dataclasses.is_dataclass(found) else {}
        fields |= getattr(found, "model_fields", {})
        if part in fields:
            return fields[part]
        try:
            found = getattr(found, part)
        except AttributeError:
            found = import_module(f"{found.__name__}.{part}")
    return found


@pytest.mark.parametrize(("term", "name"), ROWS, ids=[term for term, _ in ROWS])
def test_what_carries_a_term_exists(term: str, name: str) -> None:
    if "/" in name:
        assert (ROOT / name).exists()
    else:
        assert carrier(name) is not None


def test_each_term_stands_once() -> None:
    terms = [term for term, _ in ROWS]
    assert len(terms) == len(set(terms)) >= 40
