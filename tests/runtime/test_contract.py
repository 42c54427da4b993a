from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from upconv.runtime.contract import (
    KEY,
    MAX_LENGTH,
    Contract,
    Halo,
    HaloDeviation,
    Pixels,
    Provenance,
    Quality,
    SessionOptions,
    SizeLaw,
    Tuning,
    TuningTrial,
)
from upconv.runtime.errors import ContractError

LAW = SizeLaw(scale=1.5, offset=3, multiple=4, minimum=10)


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
    ("changes", "place"), [("{", "its JSON"), ('{"height": {"scale": -2}}', "height.scale"), ('{"surprise": 1}', "surprise")]
)
def test_the_field_that_cannot_be_read_is_named(changes: str, place: str) -> None:
    text = changes if changes == "{" else json.dumps(json.loads(contract().to_json()) | json.loads(changes))
    with pytest.raises(ContractError) as raised:
        Contract.from_metadata({KEY: text}, "a.onnx")
    assert str(raised.value).startswith(f"the contract in a.onnx cannot be read by this version of upconv ({place}: ")
    assert str(raised.value).endswith("; export the model again")


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


SIDES = ("top", "bottom", "left", "right")
NONE = dict.fromkeys(SIDES, 0)


@pytest.mark.parametrize(
    ("part", "inside", "outside"),
    [
        *((Halo, {**NONE, side: MAX_LENGTH}, {**NONE, side: MAX_LENGTH + 1}) for side in SIDES),
        *((Halo, {**NONE, side: 0}, {**NONE, side: -1}) for side in SIDES),
        *((SizeLaw, {"scale": 2, name: MAX_LENGTH}, {"scale": 2, name: MAX_LENGTH + 1}) for name in ("multiple", "minimum")),
        *((SizeLaw, {"scale": 2, name: 1}, {"scale": 2, name: 0}) for name in ("multiple", "minimum")),
        (SizeLaw, {"scale": 1e-9}, {"scale": 0}),
        (SizeLaw, {"scale": 2}, {"scale": float("inf")}),
        (Pixels, {"low": 0, "high": 1e-9}, {"low": 0, "high": 0}),
        (Pixels, {"low": -1, "high": 1}, {"low": 1, "high": -1}),
        (HaloDeviation, {"halo_px": 0, "steps": 0, "share": 0}, {"halo_px": -1, "steps": 0, "share": 0}),
        (HaloDeviation, {"halo_px": MAX_LENGTH, "steps": 0, "share": 0}, {"halo_px": MAX_LENGTH + 1, "steps": 0, "share": 0}),
        (HaloDeviation, {"halo_px": 1, "steps": 0, "share": 0}, {"halo_px": 1, "steps": -1e-9, "share": 0}),
        (HaloDeviation, {"halo_px": 1, "steps": 0, "share": 1}, {"halo_px": 1, "steps": 0, "share": 1.01}),
        (HaloDeviation, {"halo_px": 1, "steps": 0, "share": 0}, {"halo_px": 1, "steps": 0, "share": -0.01}),
        (Quality, {"psnr_db": 50, "samples": 1}, {"psnr_db": 50, "samples": 0}),
        (Quality, {"psnr_db": 50, "samples": 1, "kept": 0}, {"psnr_db": 50, "samples": 1, "kept": -1}),
    ],
)
def test_bounds(part: type[BaseModel], inside: dict[str, float], outside: dict[str, float]) -> None:
    part(**inside)
    with pytest.raises(ValidationError):
        part(**outside)


def test_the_largest_length_is_4096() -> None:
    assert MAX_LENGTH == 4096


def test_the_metadata_key_and_the_version_stay() -> None:
    assert KEY == "upconv.contract"
    assert json.loads(contract().to_json())["version"] == 1


@pytest.mark.parametrize("color", ["rgb", "y", "gray"])
def test_only_rgb_has_three_channels(color: str) -> None:
    assert Pixels(color=color).channels == (3 if color == "rgb" else 1)


def test_a_law_covers_multiples_from_its_minimum_up() -> None:
    law = SizeLaw(scale=2, offset=3, multiple=4, minimum=8)
    assert [law.output(length) for length in (4, 7, 8, 10, 12)] == [None, None, 19, None, 27]
    assert [law.fitted(length) for length in (0, 1, 8, 9, 12)] == [8, 8, 8, 12, 12]
    assert str(law) == "output = 2 x input +3, multiple 4, minimum 8"


def test_scale_and_fitted_need_both_laws() -> None:
    assert contract().scale == 2
    assert contract(width=SizeLaw(scale=2, multiple=8)).fitted(5, 5) == (5, 8)
    for side in ("height", "width"):
        without = contract(**{side: None})
        with pytest.raises(ContractError, match="no size law"):
            _ = without.scale
        with pytest.raises(ContractError, match="no size law"):
            without.fitted(1, 1)


def test_a_session_keeps_its_arena_and_blocks_and_plans_no_memory() -> None:
    assert SessionOptions().model_dump() == {"arena": True, "memory_pattern": False, "blocked": True}


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize(
    ("part", "name"), [(SizeLaw, "scale"), (Pixels, "low"), (Pixels, "high"), (HaloDeviation, "steps"), (Quality, "psnr_db")]
)
def test_no_field_is_infinite(part: type[BaseModel], name: str, value: float) -> None:
    others = {"scale": 2, "halo_px": 1, "steps": 0, "share": 0, "psnr_db": 50, "samples": 1}
    given = {field: others[field] for field in part.model_fields if field in others}
    part.model_validate(given)
    with pytest.raises(ValidationError):
        part.model_validate(given | {name: value})


@pytest.mark.parametrize(
    ("field", "allowed", "refused"),
    [
        ("version", (1,), (0, 2)),
        ("task", ("upscale", "decode"), ("paint",)),
        ("precision", ("fp32", "fp16", "int8"), ("bf16",)),
    ],
)
def test_only_what_this_version_knows_is_read(field: str, allowed: tuple[Any, ...], refused: tuple[Any, ...]) -> None:
    values = json.loads(contract().to_json())
    for value in allowed:
        assert getattr(Contract.model_validate(values | {field: value}), field) == value
    for value in refused:
        with pytest.raises(ValidationError):
            Contract.model_validate(values | {field: value})


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


def test_a_contract_is_a_value() -> None:
    with pytest.raises(ValidationError):
        contract().name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("length", "fitted", "fitted_down", "output"),
    [(0, 12, None, None), (9, 12, None, None), (11, 12, None, None), (12, 12, 12, 21), (13, 16, 12, None), (16, 16, 16, 27)],
)
def test_a_size_law(length: int, fitted: int, fitted_down: int | None, output: int | None) -> None:
    assert (LAW.fitted(length), LAW.fitted_down(length), LAW.output(length)) == (fitted, fitted_down, output)


def test_a_minimum_that_is_a_multiple_is_covered() -> None:
    law = SizeLaw(scale=2, multiple=4, minimum=8)
    assert (law.fitted(1), law.fitted_down(8), law.fitted_down(7), law.output(8), law.output(4)) == (8, 8, None, 16, None)


@pytest.mark.parametrize(
    ("length", "fitted_down", "output"), [(63, 60, None), (64, 64, 128), (65, 64, None), (68, 64, None), (7, None, None)]
)
def test_a_maximum_is_the_longest_length_that_is_covered(length: int, fitted_down: int | None, output: int | None) -> None:
    law = SizeLaw(scale=2, multiple=4, minimum=8, maximum=64)
    assert (law.fitted_down(length), law.output(length)) == (fitted_down, output)


def test_a_law_in_words() -> None:
    assert str(SizeLaw(scale=2)) == "output = 2 x input, multiple 1, minimum 1"
    assert str(SizeLaw(scale=2, offset=-4, maximum=64)) == "output = 2 x input -4, multiple 1, minimum 1, maximum 64"


def test_a_picture_is_fitted_to_both_laws() -> None:
    described = contract(height=SizeLaw(scale=2, multiple=4), width=SizeLaw(scale=2, minimum=9))
    assert described.fitted(5, 5) == (8, 9)
    assert described.scale == 2
    for side in ("height", "width"):
        with pytest.raises(ContractError, match="size law"):
            contract(**{side: None}).fitted(5, 5)


@pytest.mark.parametrize(
    ("law", "numbers"),
    [
        (SizeLaw(scale=1.5), ["1.5", "1", "1"]),
        (SizeLaw(scale=2, offset=3, multiple=4, minimum=8), ["2", "+3", "4", "8"]),
        (SizeLaw(scale=2, offset=-3), ["2", "-3", "1", "1"]),
        (SizeLaw(scale=2, multiple=4, minimum=8, maximum=64), ["2", "4", "8", "64"]),
    ],
)
def test_a_size_law_in_words_names_its_numbers(law: SizeLaw, numbers: list[str]) -> None:
    assert re.findall(r"[-+]?\d[\d.]*", str(law)) == numbers


@pytest.mark.parametrize(("loss_db", "numbers"), [(None, ["41.3", "32", "7"]), (0.0512, ["41.3", "32", "0.051", "7"])])
def test_a_quality_in_words_names_its_numbers(loss_db: float | None, numbers: list[str]) -> None:
    assert re.findall(r"\d[\d.]*", str(Quality(psnr_db=41.26, loss_db=loss_db, samples=7))) == numbers


def test_a_quality_without_the_truth_says_nothing_of_it() -> None:
    assert str(Quality(psnr_db=41.26, samples=7)) == "41.3 dB from float32, on 7 samples"


def test_tuning_in_words_names_what_was_kept() -> None:
    trials = tuple(
        TuningTrial(name=name, speed=2, low=1.5, high=2.5, kept=name != "slow") for name in ("fast", "slow", "faster")
    )
    said = str(Tuning(shape=(1, 3, 8, 8), trials=trials, machine="a machine", runtime="1"))
    assert re.findall(r"fast\w*|slow", said) == ["fast", "faster"]
    assert ("3" in said, "x2.00 (1.50 to 2.50)" in said, "a machine" in said, "nothing" in said) == (True, True, True, False)
    assert str(Tuning(shape=(1,), trials=trials[1:2], machine="m", runtime="1")) == "1 tried on m; kept nothing"
    assert ", faster x2.00" in said


@pytest.mark.parametrize(
    ("maximum", "length", "clamped"),
    [(None, 9, 12), (None, 12, 12), (None, 0, 8), (15, 9, 12), (15, 13, 12), (11, 9, 8), (11, 5, 8)],
)
def test_a_length_is_clamped_to_what_a_law_covers(maximum: int | None, length: int, clamped: int) -> None:
    assert SizeLaw(scale=2, multiple=4, minimum=6, maximum=maximum).clamped(length) == clamped


def test_the_laws_of_a_contract_are_those_of_height_and_width() -> None:
    height, width = SizeLaw(scale=2), SizeLaw(scale=2, offset=1)
    both = Contract(name="t", task="upscale", height=height, width=width, opset=18, provenance=Provenance(source="t"))
    assert both.laws == (height, width)
    for side in ("height", "width"):
        with pytest.raises(ContractError, match="t has no size law"):
            _ = both.model_copy(update={side: None}).laws
