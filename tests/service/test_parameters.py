from __future__ import annotations

from dataclasses import fields

import pytest

from upconv.runtime import UpscaleOptions
from upconv.runtime.errors import ParameterError
from upconv.service.parameters import UpscaleQuery, accepted_format
from upconv.service.settings import Limits


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", None),
        ("*/*", None),
        ("image/*", None),
        ("text/html", None),
        ("image/gif", None),
        ("image/png", "png"),
        ("Image/AVIF;q=0.9, */*;q=0.1", "avif"),
        ("image/webp;q=0, image/jpeg", "jpeg"),
        ("image/webp, image/jpeg", None),
        (",;,;;", None),
    ],
)
def test_accepted_format(accept: str, expected: str | None) -> None:
    assert accepted_format(accept) == expected


LIMITS = Limits(max_pixels=10, max_output_pixels=20)


def test_a_query_becomes_options() -> None:
    assert UpscaleQuery().options(LIMITS) == UpscaleOptions(max_pixels=10, max_output_pixels=20)
    query = UpscaleQuery(
        model="m", width=7, height=8, format="webp", quality=3, lossless=True, metadata="strip", profile="srgb"
    )
    assert query.options(LIMITS) == UpscaleOptions(
        width=7,
        height=8,
        format="webp",
        quality=3,
        lossless=True,
        metadata="strip",
        profile="srgb",
        max_pixels=10,
        max_output_pixels=20,
    )


def test_a_scale_and_a_size_contradict_each_other() -> None:
    with pytest.raises(ParameterError, match="either a scale or a width and height"):
        UpscaleQuery(scale=2, width=7).options(LIMITS)


def test_the_defaults_and_bounds_are_those_of_the_options() -> None:
    schema = UpscaleQuery.model_json_schema()["properties"]
    for field in fields(UpscaleOptions):
        assert field.name in schema or field.name in ("frames", "max_pixels", "max_output_pixels")
        if field.name in schema:
            assert schema[field.name]["default"] == field.default
