from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import upconv
from upconv.export import from_module
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import OutputError, SourceError


class Doubler(nn.Module):
    def forward(self, picture: Tensor, offset: Tensor) -> Tensor:
        return nn.functional.interpolate(picture, scale_factor=2.0) + offset


def test_a_module_and_an_example_make_an_artifact_that_is_saved_later(tmp_path: Path) -> None:
    artifact = upconv.to_onnx(Doubler(), (torch.zeros(1, 3, 8, 8), np.zeros((1, 1, 1, 1), np.float32)))
    assert artifact.contract.name == "Doubler" and artifact.as_dict()["path"] is None
    with pytest.raises(OutputError, match="save it first"):
        _ = artifact.path
    assert artifact.save(tmp_path / "d.onnx").path.stat().st_size > 0


def test_options_reach_the_contract() -> None:
    layers = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Upsample(scale_factor=2))
    signed = Pixels(low=-1, high=1)
    contract = upconv.to_onnx(layers, torch.zeros(1, 3, 8, 8), name="signed", pixels=signed, licence="MIT").contract
    assert (contract.name, contract.input, contract.provenance.licence) == ("signed", signed, "MIT")


@pytest.mark.parametrize(
    ("model", "example", "sentence"),
    [
        (3, None, "expected a module, or the name of a factory or a file, not int"),
        (from_module(nn.Upsample(scale_factor=2), name="up"), np.zeros((1, 3, 8, 8)), "up is already a source"),
        ("nowhere", None, "'nowhere' is not the name of a source"),
        (Path("none.onnx"), None, "no model file at none.onnx"),
    ],
)
def test_what_is_no_model_is_refused(model: nn.Module, example: np.ndarray | None, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        upconv.to_onnx(model, example)
