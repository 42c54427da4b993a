from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Write, drawn, plain, tagged

import upconv
from upconv.export.sources.ncnn import from_ncnn
from upconv.export.sources.ncnn.residual import Residual, WithPicture, find_residual
from upconv.runtime.codecs import read
from upconv.runtime.contract import Pixels
from upconv.runtime.upscaler import Upscaler

PHOTOGRAPH = Path(upconv.__file__).parent / "export" / "photographs" / "ridge.jpg"


def missing(scale: int, *, margin: int = 0, kind: int = 2) -> list[str]:
    """Return the layers of a network that computes what bilinear interpolation has more than repeated pixels."""
    side = scale * margin
    return [
        "Input data 0 1 data 0=0 1=0 2=3",
        "Split split 1 2 data a b",
        f"Interp smooth 1 1 a smooth 0={kind} 1={scale} 2={scale}",
        f"Interp repeated 1 1 b repeated 0=1 1={scale} 2={scale}",
        "BinaryOp difference 2 1 smooth repeated difference 0=1",
        f"Crop crop 1 1 difference out 0={side} 1={side} 2=0 3=-233 4=-233 5=-233 6={side} 7={side} 8=0",
    ]


@pytest.mark.parametrize(("scale", "margin"), [(2, 0), (3, 2), (4, 5)])
def test_the_enlarged_picture_is_added(scale: int, margin: int, write: Write, tmp_path: Path) -> None:
    artifact = upconv.to_onnx(write(missing(scale, margin=margin)), out=tmp_path / "m.onnx")
    assert (artifact.contract.task, artifact.contract.scale) == ("upscale", scale)
    assert "added-picture" in [finding.rule for finding in artifact.findings]
    witness = artifact.contract.evidence.witness
    assert witness is None or witness.difference < 1e-5
    samples = read(PHOTOGRAPH).samples[:60, :70]
    with Upscaler(tmp_path / "m.onnx") as upscaler:
        enlarged = upscaler.upscale(samples)
    blocks = enlarged.reshape(60, scale, 70, scale, 3).mean((1, 3))
    assert np.abs(blocks - samples).mean() < 3


@pytest.mark.parametrize("pixels", [Pixels(), Pixels(low=-1, high=1), Pixels(low=0, high=255)])
def test_an_upscaler_is_left_as_it_is(write: Write, pixels: Pixels) -> None:
    path = write(["Input data 0 1 data 0=0 1=0 2=3", "Interp up 1 1 data out 0=2 1=2 2=2"])
    assert not [finding for finding in from_ncnn(path, pixels=pixels).findings if finding.rule == "added-picture"]


def test_the_range_of_the_picture_counts(write: Write) -> None:
    source = from_ncnn(write(missing(4)), pixels=Pixels(low=0, high=255))
    assert "added-picture" in [finding.rule for finding in source.findings]


def test_a_small_output_that_does_not_smooth_the_blocks_is_left_as_it_is(write: Write) -> None:
    layers = ["Input data 0 1 data 0=0 1=0 2=3", "Deconvolution up 1 1 data out 0=3 1=2 3=2 5=1 6=36"]
    path = write(layers, tagged(drawn(36) / 1000), plain(np.zeros(3)))
    assert not [finding for finding in from_ncnn(path).findings if finding.rule == "added-picture"]


def test_an_output_that_moves_the_colours_is_left_as_it_is(write: Write) -> None:
    path = write([*missing(4), "BinaryOp brighter 1 1 out end 0=0 1=1 2=0.2"])
    assert not [finding for finding in from_ncnn(path).findings if finding.rule == "added-picture"]


def test_a_network_that_keeps_the_size_is_left_as_it_is(write: Write) -> None:
    layers = ["Input data 0 1 data 0=0 1=0 2=3", "BinaryOp nothing 1 1 data out 0=2 1=1 2=0.001"]
    assert not [finding for finding in from_ncnn(write(layers)).findings if finding.rule == "added-picture"]


class Fixed:
    """A backend that makes nothing, with the shape of an upscaler x2."""

    name, version, level = "fixed", "1", "-"

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        height, width = inputs[0].shape[2:]
        return [np.zeros((*inputs[0].shape[:2], 2 * height - 4, 2 * width - 4), np.float32)]


def test_the_output_is_the_part_that_the_network_covers() -> None:
    picture = drawn(2, 1, 6, 7)
    (output,) = WithPicture(Fixed(), Residual(2, 1)).run([picture])
    np.testing.assert_array_equal(output, picture[:, :, 1:-1, 1:-1].repeat(2, 2).repeat(2, 3))


@pytest.mark.parametrize("shape", [(1, 3, 8), (1, 4, 8, 8)])
def test_what_takes_no_picture_is_left_as_it_is(shape: tuple[int, ...]) -> None:
    assert find_residual(Fixed(), (shape,), Pixels()) is None
    assert find_residual(Fixed(), ((1, 3, 8, 8), (1, 3, 8, 8)), Pixels()) is None
