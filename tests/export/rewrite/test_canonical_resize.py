from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upconv.export.rewrite.canonical_resize import canonical_resize as stage

random = np.random.default_rng(0)


def resized(graph: Any, scales: list[float], **attributes: Any) -> Any:
    made = graph()
    made.add("Resize", ["x", "", made.weight("s", np.array([1, 1, *scales], np.float32))], "y", **attributes)
    return made


@settings(max_examples=40, deadline=None)
@given(
    scales=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    form=st.sampled_from(
        [
            {"nearest_mode": "round_prefer_floor"},
            {"nearest_mode": "round_prefer_ceil"},
            {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"},
        ]
    ),
    size=st.tuples(st.integers(1, 3), st.integers(1, 17), st.integers(1, 17)),
)
def test_the_same_image(
    graph: Any, applied: Any, scales: tuple[int, int], form: dict[str, str], size: tuple[int, int, int]
) -> None:
    shape = (size[0], 2, *size[1:])
    result = applied(stage, resized(graph, list(scales), **form).model(shape), random.normal(size=shape))
    assert result.changed == ("mode" not in form or min(scales) > 1)
    assert not stage(result.model).changed


@pytest.mark.parametrize(
    ("scales", "attributes", "reason"),
    [
        ([1.5, 2], {}, "whole numbers"),
        ([0.5, 2], {}, "whole numbers"),
        ([2, 2], {"nearest_mode": "ceil"}, "no faster equivalent"),
        ([2, 2], {"mode": "cubic"}, "no faster equivalent"),
        ([2, 2], {"coordinate_transformation_mode": "align_corners"}, "no faster equivalent"),
        ([2, 1], {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, "one pixel long"),
    ],
)
def test_what_has_no_faster_equal_is_left(graph: Any, scales: list[float], attributes: dict[str, Any], reason: str) -> None:
    result = stage(resized(graph, scales, **attributes).model((1, 2, 5, 5)))
    assert not result.changed
    assert reason in result.summary
