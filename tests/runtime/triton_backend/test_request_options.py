from __future__ import annotations

import json

import pytest

from upconv.runtime.errors import ParameterError
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.triton_backend.request_options import request_options


def test_parameters_are_options_in_the_types_that_triton_has() -> None:
    stated = {"scale": "1.5", "format": "webp", "quality": 80, "lossless": True, "border": "wrap"}
    assert request_options(json.dumps(stated), 100, 400) == UpscaleOptions(
        1.5, format="webp", quality=80, lossless=True, border="wrap", max_pixels=100, max_output_pixels=400
    )
    assert request_options("", 100, 400) == UpscaleOptions(max_pixels=100, max_output_pixels=400)


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"speed": 1}, r"there is no parameter speed; expected one of scale, width"),
        ({"max_pixels": 10**9}, "there is no parameter max_pixels"),
        ({"quality": "high"}, "quality: .*got 'high'"),
        ({"quality": 101}, "quality must be between 1 and 100"),
        ({"format": "bmp"}, "format"),
        ({"scale": 2, "width": 10}, "either a scale or a width"),
    ],
)
def test_others_are_refused(stated: dict[str, object], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        request_options(json.dumps(stated), 100, 400)
