from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError

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
        model="m",
        width=7,
        height=8,
        fitting="fit",
        format="webp",
        quality=3,
        lossless=True,
        metadata="strip",
        profile="srgb",
        colors=16,
        border="wrap",
    )
    assert query.options(LIMITS) == UpscaleOptions(
        width=7,
        height=8,
        fitting="fit",
        format="webp",
        quality=3,
        lossless=True,
        metadata="strip",
        profile="srgb",
        colors=16,
        border="wrap",
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


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("scale", (1, 1.5, 16), (0.99, 16.01, float("nan"), float("inf"))),
        ("width", (1, 1_000_000), (0, 1_000_001)),
        ("height", (1, 1_000_000), (0, 1_000_001)),
        ("quality", (1, 100), (0, 101)),
        ("model", ("m" * 200,), ("m" * 201,)),
        ("format", ("jpeg", "png", "webp", "avif", "tiff"), ("gif", "bmp")),
        ("metadata", ("keep", "strip"), ("drop",)),
        ("profile", ("keep", "srgb"), ("p3",)),
    ],
)
def test_a_parameter_is_allowed_up_to_its_bounds(name: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    for value in allowed:
        assert getattr(UpscaleQuery(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(ValidationError):
            UpscaleQuery(**{name: value})


def test_the_quality_is_90_where_none_is_asked_for() -> None:
    assert UpscaleQuery().quality == 90
