from __future__ import annotations

import pytest

from upconv.runtime.doctor.check import Check, State


@pytest.mark.parametrize(
    ("state", "required", "fatal"),
    [("missing", True, True), ("broken", True, True), ("ok", True, False), ("low", True, False), ("missing", False, False)],
)
def test_only_what_is_required_is_fatal(state: State, required: bool, fatal: bool) -> None:
    assert Check("required", "a", state, "b", required=required).fatal is fatal
