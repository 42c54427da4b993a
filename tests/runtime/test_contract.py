from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from upconv.runtime.contract import KEY, Contract, Halo, HaloDeviation, Pixels, Provenance, Quality, SizeLaw
from upconv.runtime.errors import ContractError

BOUNDS = ((0, -1), (4096, 4097))
"""A value inside and one outside, of each bound of lengths in pixels."""
REQUIRED: dict[type, dict[str, Any]] = {
    Halo: {"top": 0, "bottom": 0, "left": 0, "right": 0},
    HaloDeviation: {"halo_px": 0, "steps": 0, "share": 0},
    Quality: {"psnr_db": 40, "samples": 1},
    SizeLaw: {"scale": 1},
}
"""Values that are inside, of the fields that have no default."""


def contract(**changes: object) -> Contract:
    values: dict[str, object] = {
        "name": "a",
        "task": "upscale",
        "height": SizeLaw(scale=2),
        "width": SizeLaw(scale=2),
        "opset": 18,
        "provenance": Provenance(source="a test"),
    }
    return Contract.model_validate(values | changes)


def test_comes_back_from_metadata_as_it_went_in() -> None:
    whole = contract()
    assert Contract.from_metadata({KEY: whole.to_json()}, "a.onnx") == whole


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({}, "upconv export SOURCE -o a.onnx"),
        ({KEY: "{"}, "cannot be read by this version"),
        ({KEY: json.dumps({"version": 2})}, "version"),
        ({KEY: json.dumps({**json.loads(contract().to_json()), "task": "paint"})}, "task"),
        ({KEY: json.dumps({**json.loads(contract().to_json()), "surprise": 1})}, "surprise"),
        ({KEY: contract().to_json().replace('"scale":2.0', '"scale":-2.0')}, "scale"),
    ],
)
def test_a_file_that_does_not_describe_itself_is_refused(metadata: dict[str, str], sentence: str) -> None:
    with pytest.raises(ContractError, match=sentence):
        Contract.from_metadata(metadata, "a.onnx")


@pytest.mark.parametrize(
    "changes", [{"height": None}, {"height": SizeLaw(scale=3)}, {"height": SizeLaw(scale=1.5), "width": SizeLaw(scale=1.5)}]
)
def test_a_picture_needs_one_whole_scale(changes: dict[str, object]) -> None:
    with pytest.raises(ContractError, match="scale"):
        _ = contract(**changes).scale


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        *((Halo, {side: value}, {side: wrong}) for side in ("top", "bottom", "left", "right") for value, wrong in BOUNDS),
        *(
            (SizeLaw, {name: value}, {name: wrong})
            for name in ("multiple", "minimum")
            for value, wrong in ((1, 0), (4096, 4097))
        ),
        *((HaloDeviation, {"halo_px": value}, {"halo_px": wrong}) for value, wrong in BOUNDS),
        (SizeLaw, {"scale": 1e-9}, {"scale": 0}),
        (SizeLaw, {"scale": 1e9}, {"scale": float("inf")}),
        (SizeLaw, {"offset": -5000}, {"offset": 0.5}),
        (HaloDeviation, {"steps": 0}, {"steps": -1e-9}),
        (HaloDeviation, {"steps": 1e9}, {"steps": float("nan")}),
        (HaloDeviation, {"share": 0}, {"share": -1e-9}),
        (HaloDeviation, {"share": 1}, {"share": 1.001}),
        (Quality, {"samples": 1}, {"samples": 0}),
        (Quality, {"kept": 0}, {"kept": -1}),
        (Quality, {"loss_db": -1}, {"loss_db": float("nan")}),
        (Pixels, {"high": 1e-6}, {"high": 0}),
        (Pixels, {"low": 1 - 1e-6}, {"low": 1}),
        (Pixels, {"low": -1}, {"low": 2}),
        (Pixels, {"low": -1e30}, {"low": float("-inf")}),
        (Pixels, {"color": "gray"}, {"color": "cmyk"}),
    ],
)
def test_bounds(part: Any, inside: dict[str, Any], outside: dict[str, Any]) -> None:
    part(**REQUIRED.get(part, {}) | inside)
    with pytest.raises(ValidationError):
        part(**REQUIRED.get(part, {}) | outside)


@pytest.mark.parametrize(
    ("field", "inside", "outside"),
    [
        ("version", 1, 2),
        ("task", "decode", "paint"),
        ("precision", "fp16", "bf16"),
        ("halo", Halo(top=0, bottom=0, left=0, right=4096), {"top": 0, "bottom": 0, "left": 0, "right": 4097}),
    ],
)
def test_bounds_of_the_whole(field: str, inside: object, outside: object) -> None:
    contract(**{field: inside})
    with pytest.raises(ValidationError):
        contract(**{field: outside})


@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("y", 1), ("gray", 1)])
def test_channels(color: Any, channels: int) -> None:
    assert Pixels(color=color).channels == channels


def test_a_contract_is_a_value() -> None:
    with pytest.raises(ValidationError):
        contract().name = "b"  # type: ignore[misc]


LAW = SizeLaw(scale=1.5, offset=3, multiple=4, minimum=10)


@pytest.mark.parametrize(
    ("length", "fitted", "fitted_down", "output"),
    [(0, 12, None, None), (9, 12, None, None), (11, 12, None, None), (12, 12, 12, 21), (13, 16, 12, None), (16, 16, 16, 27)],
)
def test_a_size_law(length: int, fitted: int, fitted_down: int | None, output: int | None) -> None:
    assert (LAW.fitted(length), LAW.fitted_down(length), LAW.output(length)) == (fitted, fitted_down, output)


def test_a_minimum_that_is_a_multiple_is_covered() -> None:
    law = SizeLaw(scale=2, multiple=4, minimum=8)
    assert (law.fitted(1), law.fitted_down(8), law.fitted_down(7), law.output(8), law.output(4)) == (8, 8, None, 16, None)


def test_a_picture_is_fitted_to_both_laws() -> None:
    described = contract(height=SizeLaw(scale=2, multiple=4), width=SizeLaw(scale=2, minimum=9))
    assert described.fitted(5, 5) == (8, 9)
    assert described.scale == 2
    for side in ("height", "width"):
        with pytest.raises(ContractError, match="size law"):
            contract(**{side: None}).fitted(5, 5)
