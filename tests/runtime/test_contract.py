from __future__ import annotations

import json

import pytest

from upconv.runtime.contract import KEY, Contract, Provenance, SizeLaw
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
