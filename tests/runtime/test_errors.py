from __future__ import annotations

import inspect
from collections.abc import Callable

from upconv.runtime import errors


def test_the_drawn_tree_is_the_real_one(drawn: Callable[..., dict[str, str]]) -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind is not errors.UpconvError]
    assert drawn(errors) == {kind.__name__: kind.__bases__[0].__name__ for kind in classes}
