"""The exact comparison of constants while torch's exporter simplifies a graph.

onnxscript, which simplifies it, takes numbers within 1e-8 of 0 for 0, and numbers within 1e-5 of 1 for 1. It removes the addition
from `x / (y + 1e-15)`, which is then not finite for 0, and the product from `x * 1.000004`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from onnxscript.rewriter._matcher import SimplePatternMatcher


@contextmanager
def exact_constants() -> Iterator[None]:
    """Return a context in which patterns of onnxscript match only constants that are equal to theirs."""
    match = SimplePatternMatcher._match_constant

    def exactly(matcher: SimplePatternMatcher, expected: Any, value: Any) -> bool:
        exact = copy.copy(expected)
        exact._rel_tol = exact._abs_tol = 0.0
        return match(matcher, exact, value)

    SimplePatternMatcher._match_constant = exactly  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        SimplePatternMatcher._match_constant = match  # type: ignore[method-assign]
