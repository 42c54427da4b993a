"""The first line of a public docstring is one plain sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator

LONGEST = 120
RIDDLE = re.compile(r"(What|Whether|How|Which|Where|Of|Who|Whose)\b")
NONE = re.compile(r"\b(none (where|if|when|unless)|or none|else none)\b")
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def first_lines(node: Documented, place: str) -> Iterator[tuple[str, str]]:
    """Return the first line of each public docstring in a node, with its place."""
    docstring = ast.get_docstring(node)
    if docstring:
        yield place, docstring.splitlines()[0]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    for child in node.body:
        if isinstance(child, Documented) and not child.name.startswith("_"):
            yield from first_lines(child, f"{place}:{child.name}")


def faults(line: str) -> Iterator[str]:
    """Return what is wrong with a first line."""
    if RIDDLE.match(line):
        yield f"begins with {line.split()[0]}"
    if NONE.search(line):
        yield "says none for None"
    if not line.endswith("."):
        yield "does not end with a full stop"
    if len(line) > LONGEST:
        yield f"is longer than {LONGEST} characters"


def test_first_lines_are_plain(modules: dict[str, ast.Module], check: Callable[[str, Iterable[str]], None]) -> None:
    lines = ((place, line) for path, tree in modules.items() for place, line in first_lines(tree, path))
    check("docstring", (f"{place} {fault}" for place, line in lines for fault in faults(line)))


def test_faults_are_seen() -> None:
    assert list(faults("Return the halo of each side, or `None`.")) == []
    assert list(faults("What comes out, none where nothing does")) == [
        "begins with What",
        "says none for None",
        "does not end with a full stop",
    ]
    assert list(faults("x" * LONGEST + ".")) == [f"is longer than {LONGEST} characters"]
