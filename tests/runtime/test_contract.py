from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from upconv.runtime.contract import KEY, Contract, Halo, HaloDeviation, Pixels, Provenance, Quality, SessionOptions, SizeLaw
from upconv.runtime.errors import ContractError


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


def test_the_contract_lies_under_the_name_that_other_programs_know() -> None:
    assert KEY == "upconv.contract"
    assert json.loads(contract().to_json())["version"] == 1


def test_a_session_keeps_its_arena_and_blocks_and_plans_no_memory() -> None:
    assert SessionOptions().model_dump() == {"arena": True, "memory_pattern": False, "blocked": True}


NO_HALO = {"top": 0, "bottom": 0, "left": 0, "right": 0}
DEVIATION = {"halo_px": 10, "steps": 0.5, "share": 0.5}
QUALITY = {"psnr_db": 40.0, "samples": 1}

BOUNDS: list[tuple[type[BaseModel], dict[str, Any], str, tuple[Any, ...], tuple[Any, ...]]] = [
    # part, its other fields, the field, what is allowed, what is refused
    (Halo, NO_HALO, "top", (0, 4096), (-1, 4097)),
    (Halo, NO_HALO, "bottom", (0, 4096), (-1, 4097)),
    (Halo, NO_HALO, "left", (0, 4096), (-1, 4097)),
    (Halo, NO_HALO, "right", (0, 4096), (-1, 4097)),
    (HaloDeviation, DEVIATION, "halo_px", (0, 4096), (-1, 4097)),
    (HaloDeviation, DEVIATION, "steps", (0,), (-1e-9, float("inf"), float("nan"))),
    (HaloDeviation, DEVIATION, "share", (0, 1), (-1e-9, 1 + 1e-9)),
    (SizeLaw, {"scale": 2}, "scale", (1e-9, 2), (0, -2, float("inf"))),
    (SizeLaw, {"scale": 2}, "multiple", (1, 4096), (0, 4097)),
    (SizeLaw, {"scale": 2}, "minimum", (1, 4096), (0, 4097)),
    (Pixels, {"low": 0.0}, "high", (1e-9, 1), (0, -1, float("inf"))),
    (Pixels, {"high": 0.0}, "low", (-1e-9, -1), (0, 1, float("-inf"))),
    (Pixels, {}, "color", ("rgb", "y", "gray"), ("bgr",)),
    (Quality, QUALITY, "samples", (1,), (0,)),
    (Quality, QUALITY, "kept", (0,), (-1,)),
    (Contract, json.loads(contract().to_json()), "version", (1,), (0, 2)),
    (Contract, json.loads(contract().to_json()), "precision", ("fp32", "fp16", "int8"), ("bf16",)),
    (Contract, json.loads(contract().to_json()), "task", ("upscale", "decode"), ("paint",)),
]


@pytest.mark.parametrize(("part", "others", "field", "allowed", "refused"), BOUNDS)
def test_a_field_is_allowed_up_to_its_bounds(
    part: type[BaseModel], others: dict[str, Any], field: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]
) -> None:
    for value in allowed:
        assert getattr(part.model_validate(others | {field: value}), field) == value
    for value in refused:
        with pytest.raises(ValidationError, match=f"{field}|low"):
            part.model_validate(others | {field: value})


@pytest.mark.parametrize(
    ("length", "output", "fitted"), [(15, None, 16), (16, 33, 16), (17, None, 20), (19, None, 20), (20, 41, 20), (1, None, 16)]
)
def test_a_size_law_covers_multiples_from_its_minimum_up(length: int, output: int | None, fitted: int) -> None:
    law = SizeLaw(scale=2, offset=1, multiple=4, minimum=16)
    assert (law.output(length), law.fitted(length)) == (output, fitted)
