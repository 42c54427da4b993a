"""One name, one thing: no class twice in the product, no file twice in a package."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

Check = Callable[[str, Iterable[str]], None]


def twice(places: Iterable[tuple[str, str]]) -> list[str]:
    """Return each name that has several places, with how many."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name, place in places:
        by_name[name].append(place)
    return [f"{name} in {', '.join(sorted(found))}" for name, found in by_name.items() if len(found) > 1]


def test_no_class_name_is_defined_twice(modules: dict[str, ast.Module], check: Check) -> None:
    classes = ((node.name, path) for path, tree in modules.items() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    check("class", twice(classes))


def test_no_file_name_is_there_twice_in_a_package(modules: dict[str, ast.Module], check: Check) -> None:
    files = ((PurePosixPath(path).name, path.removeprefix("src/upconv/")) for path in modules)
    named = ((f"{path.split('/')[0]}/**/{name}", path) for name, path in files if name not in ("__init__.py", "__main__.py"))
    check("file", twice(named))
