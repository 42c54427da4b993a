from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from upconv.export import from_module, to_onnx
from upconv.export.precision import CalibrationSamples, PrecisionOptions, QualityGate, from_folder, to_int8
from upconv.export.precision.calibration_samples import of_pictures
from upconv.export.precision.int8 import Quantizer
from upconv.runtime import Upscaler
from upconv.runtime.codecs import read
from upconv.runtime.contract import Contract, Halo, Pixels, Provenance, SizeLaw
from upconv.runtime.errors import ExportError, ParameterError
from upconv.runtime.session import open_model

DATA = Path(__file__).parent.parent / "data"
DOUBLE = SizeLaw(scale=2)


def contract(task: str = "upscale", law: SizeLaw = DOUBLE, **pixels: object) -> Contract:
    described = Pixels.model_validate(pixels)
    return Contract.model_validate(
        {
            "name": "m",
            "task": task,
            "height": law,
            "width": law,
            "input": described,
            "output": described,
            "opset": 18,
            "provenance": Provenance(source="here"),
        }
    )


def doubler() -> nn.Module:
    """Bilinear enlargement between convolutions that leave the image almost as it is."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(16, 3, 3, padding=1)
    )
    with torch.no_grad():
        for layer in (module[0], module[3]):
            assert isinstance(layer, nn.Conv2d)
            layer.weight.mul_(0.05)
            for n in range(3):
                layer.weight[n, n, 1, 1] += 1
    return module


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[onnx.ModelProto, Contract]:
    path = tmp_path_factory.mktemp("exact") / "m.onnx"
    to_onnx(from_module(doubler(), name="m"), out=path)
    return onnx.load(path), open_model(path).contract


def test_int8_passes_its_gate_and_says_what_it_costs(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    to_onnx(from_module(doubler(), name="m"), out=path, reduction=PrecisionOptions("int8"))
    served = open_model(path).contract
    quality = served.evidence.quality
    assert served.precision == "int8"
    assert isinstance(served.halo, Halo)
    assert quality is not None
    assert quality.loss_db is not None
    assert quality.loss_db <= 0.1
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    with Upscaler(path) as upscaler:
        assert upscaler.upscale(np.zeros((40, 50, 3), np.uint8)).shape == (80, 100, 3)


def test_float16_keeps_inputs_and_scales_in_their_types(exact: tuple[onnx.ModelProto, Contract]) -> None:
    reduced = PrecisionOptions("fp16").apply(*exact)
    model = reduced.model
    assert reduced.quality.psnr_db > 60
    onnx.checker.check_model(model, full_check=True)
    types = {t.name: t.data_type for t in model.graph.initializer}
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    assert types[resize.input[2]] == onnx.TensorProto.FLOAT
    assert onnx.TensorProto.FLOAT16 in types.values()
    assert model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_layers_stay_in_float32_until_the_gate_holds(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, described = exact
    samples = CalibrationSamples(from_folder(None, described).inputs)
    gate = QualityGate.of(model, samples, 1.0)
    whole = to_int8(model, gate)
    assert whole.kept == ()
    stricter = to_int8(model, dataclasses.replace(gate, least_db=whole.quality.psnr_db + 1))
    assert 0 < len(stricter.kept) < len(Quantizer(model, samples).nodes)
    assert stricter.quality.psnr_db > whole.quality.psnr_db + 1


def test_a_gate_that_nothing_passes_is_an_error(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, described = exact
    with pytest.raises(ExportError, match="does not pass the limit of -1 dB"):
        to_int8(model, QualityGate.of(model, from_folder(None, described), 1.0, limit_db=-1))


def test_without_a_truth_the_output_itself_is_the_measure(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, _ = exact
    samples = CalibrationSamples(tuple((x,) for x in np.random.default_rng(0).random((2, 1, 3, 12, 17), np.float32)))
    gate = QualityGate.of(model, samples)
    quality = gate.judge(model)
    assert quality.loss_db is None
    assert quality.psnr_db == pytest.approx(200)
    assert gate.passed(quality)
    assert not gate.passed(quality.model_copy(update={"psnr_db": 39.0}))


def test_pictures_are_reduced_to_what_the_model_takes() -> None:
    picture = read(DATA / "flower.jpg").samples
    law = SizeLaw(scale=2, multiple=8, minimum=16)
    samples = of_pictures([picture, picture[:8]], contract(law=law, color="y", low=-1.0, high=1.0))
    assert samples.truths is not None
    assert len(samples.inputs) == 1
    assert samples.inputs[0][0].shape == (1, 1, 96, 96)
    assert samples.truths[0].shape == (1, 1, 192, 192)
    small = samples.truths[0].reshape(1, 1, 96, 2, 96, 2).mean((3, 5))
    assert np.abs(samples.inputs[0][0] - small).mean() < 0.05
    assert -1 <= samples.inputs[0][0].min() < 0


def test_arrays_calibrate_what_takes_no_pictures(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 4, 5, 5), np.float32))
    assert from_folder(tmp_path, contract("decode")).inputs[0][0].shape == (1, 4, 5, 5)
    with pytest.raises(ParameterError, match="holds 1 arrays; the model has 2 inputs"):
        from_folder(tmp_path, contract("decode"), inputs=2)
    np.savez(tmp_path / "a.npz", np.zeros(1), np.ones(2))
    (tmp_path / "a.npy").unlink()
    assert [x.shape for x in from_folder(tmp_path, contract("decode"), inputs=2).inputs[0]] == [(1,), (2,)]


@pytest.mark.parametrize(
    ("folder", "task", "reason"),
    [("missing", "upscale", "no folder"), ("", "upscale", "no pictures"), ("", "decode", "takes no pictures")],
)
def test_nothing_to_calibrate_on_is_an_error(tmp_path: Path, folder: str, task: str, reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        from_folder(tmp_path / folder, contract(task))


def test_pictures_that_are_too_small_are_no_samples() -> None:
    with pytest.raises(ParameterError, match="smaller than"):
        of_pictures([np.zeros((3, 3, 3), np.uint8)], contract(law=SizeLaw(scale=2, minimum=8)))
