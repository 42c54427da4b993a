from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Write, drawn, plain, tagged

import upconv
from upconv.export.sources.ncnn import from_ncnn
from upconv.runtime.contract import Context
from upconv.runtime.errors import SourceError
from upconv.runtime.upscaler import Upscaler

UPCONV = [
    "Input data 0 1 data",
    "Convolution a 1 1 data a 0=8 1=3 5=1 6=216 9=2 -23310=1,0.1",
    "Convolution b 1 1 a b 0=8 1=3 5=1 6=576 9=2 -23310=1,0.1",
    "Deconvolution up 1 1 b out 0=3 1=4 3=2 4=3 5=1 6=384",
]


@pytest.fixture
def upscaler(write: Write) -> Path:
    """An upscaler x2 of valid convolutions, like waifu2x's upconv_7, with weights in float16."""
    weights = [tagged(drawn(n, seed=n) / 10, 0x01306B47) for n in (216, 576, 384)]
    biases = [plain(drawn(n) / 10) for n in (8, 8, 3)]
    return write(UPCONV, *(part for pair in zip(weights, biases, strict=True) for part in pair))


def test_an_upscaler_is_exported_and_enlarges_a_picture(upscaler: Path, tmp_path: Path) -> None:
    artifact = upconv.to_onnx(upscaler, out=tmp_path / "up.onnx")
    contract = artifact.contract
    assert (contract.task, contract.scale) == ("upscale", 2)
    assert contract.context == Context(top=3, bottom=3, left=3, right=3)
    with Upscaler(tmp_path / "up.onnx") as model:
        assert model.upscale(np.zeros((20, 30, 3), np.uint8)).shape == (40, 60, 3)


def test_ncnn_agrees(upscaler: Path) -> None:
    pytest.importorskip("ncnn")
    evidence = upconv.to_onnx(upscaler).contract.evidence.witness
    assert evidence is not None
    assert evidence.name == "ncnn"
    assert len(evidence.shapes) >= 3
    assert evidence.difference < 1e-4


def test_a_network_that_is_not_compared_says_so(upscaler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ncnn", None)
    source = from_ncnn(upscaler)
    assert source.witness is None
    assert [finding.rule for finding in source.findings] == ["not-compared"]


def test_a_missing_bin_file_is_named(upscaler: Path) -> None:
    upscaler.with_suffix(".bin").unlink()
    with pytest.raises(SourceError, match=r"no weights at .*net\.bin; an ncnn network is a \.param and a \.bin file"):
        upconv.to_onnx(upscaler)


def test_the_bin_file_alone_is_refused(upscaler: Path) -> None:
    with pytest.raises(SourceError, match=r"holds only weights; give the text \.param file"):
        upconv.to_onnx(upscaler.with_suffix(".bin"))


def test_the_file_is_named_in_every_message(write: Write) -> None:
    with pytest.raises(SourceError, match=r"net\.param: the layer 'q' of type Quantum is not supported"):
        upconv.to_onnx(write(["Input data 0 1 data", "Quantum q 1 1 data out"]))


def test_a_network_that_accepts_no_size_is_refused(write: Write) -> None:
    layers = ["Input data 0 1 data", "Crop crop 1 1 data out 0=999 1=999 2=0 3=-233 4=-233 5=-233"]
    with pytest.raises(SourceError, match="accepts no picture of 16 to 256 pixels"):
        upconv.to_onnx(write(layers))
