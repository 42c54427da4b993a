from __future__ import annotations

import pytest
import torch

from upconv.export.sources.state_mismatch import StateMismatch

A, B = torch.zeros(4, 3), torch.zeros(8, 3)


@pytest.mark.parametrize(
    ("state", "expected", "sentence"),
    [
        ({"a": A}, {"b": A}, r"1 are missing \(b\), 1 are unexpected \(a\); probably another architecture"),
        (
            {"a": A},
            {"a": B},
            r"1 have another shape \(a \[4, 3\] in the file, \[8, 3\] in the module\); probably another scale",
        ),
        ({"a": A, "b": A}, {"a": A}, r"1 are unexpected \(b\); probably another number of layers"),
        ({"a": A, "b": A, "c": A}, {"a": B, "b": B, "c": B}, "3 have another shape .*; probably another width"),
    ],
)
def test_differences_are_counted_and_explained(state: dict[str, object], expected: dict[str, object], sentence: str) -> None:
    import re

    assert re.search(sentence, str(StateMismatch.between(state, expected)))
