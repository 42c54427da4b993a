from __future__ import annotations

import inspect
from collections.abc import Callable

from upconv.runtime.errors import ImageError, ModelError, ParameterError, UpconvError
from upconv.service import errors
from upconv.service.errors import KINDS, UNEXPECTED


def test_the_drawn_tree_is_the_real_one(drawn: Callable[..., dict[str, str]]) -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, UpconvError)]
    own = {kind.__name__: kind.__bases__[0].__name__ for kind in classes if kind.__module__ == errors.__name__}
    tree = drawn(errors)
    imported = {name: parent for name, parent in tree.items() if name not in own}
    assert {name: parent for name, parent in tree.items() if name in own} == own
    assert set(imported.values()) == {"UpconvError"}
    for name in imported:
        assert getattr(errors, name).__bases__ == (UpconvError,)


def test_every_own_error_has_a_status(drawn: Callable[..., dict[str, str]]) -> None:
    for name in drawn(errors):
        assert errors.problem_kind(getattr(errors, name).__new__(getattr(errors, name))) is not UNEXPECTED


def test_slugs_name_one_kind_each() -> None:
    kinds = {*KINDS.values(), UNEXPECTED}
    assert len({kind.slug for kind in kinds}) == len(kinds)


def test_what_passes_is_told_from_what_is_final() -> None:
    full = OSError(28, "No space left on device")
    passing: list[Exception] = [MemoryError(), full, errors.RateLimitError("x", 1), errors.DeadlineError("x")]
    final: list[Exception] = [
        ImageError("x"),
        ParameterError("x"),
        ModelError("x"),
        ZeroDivisionError(),
        errors.TooLongError("x"),
    ]
    assert [errors.problem_kind(error).passing for error in passing] == [True] * 4
    assert [errors.problem_kind(error).passing for error in final] == [False] * 5
