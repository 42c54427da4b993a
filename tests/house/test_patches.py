"""No test replaces what the threads of other tests use.

Services live for all tests of a process. If the clock stands still for one test, the event loops of all services compute
wrong timeouts, and sleep for hours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
SHARED = ("time", "asyncio", "anyio", "threading")


def replaced(tree: ast.AST) -> Iterator[str]:
    """Yield what `setattr` replaces in a shared module, but not in a class of it."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(attr="setattr"), [ast.Name(id=module), ast.Constant(value=str(name)), *_]):
                if module in SHARED:
                    yield f"{module}.{name}"
            case ast.Call(ast.Attribute(attr="setattr"), [ast.Constant(value=str(path)), *_]):
                if path.split(".")[0] in SHARED:
                    yield path


def test_shared_modules_are_left_alone() -> None:
    found = {path.relative_to(TESTS).as_posix(): list(replaced(ast.parse(path.read_text()))) for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {
        "runtime/test_engine.py": ["threading.Condition"]  # a subclass that only notes
    }, "replace the module in the one that you test: setattr(tested, 'time', SimpleNamespace(...))"


def test_both_forms_are_seen() -> None:
    code = "patch.setattr(time, 'sleep', f)\npatch.setattr('time.sleep', f)\npatch.setattr(tested, 'time', f)"
    assert list(replaced(ast.parse(code))) == ["time.sleep", "time.sleep"]
