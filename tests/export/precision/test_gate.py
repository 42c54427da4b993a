from __future__ import annotations

import numpy as np
import onnx
import pytest

from upconv.export.precision import CalibrationSamples, QualityGate, from_folder
from upconv.runtime.contract import Contract


def test_without_a_truth_the_output_itself_is_the_measure(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, _ = exact
    samples = CalibrationSamples(tuple((x,) for x in np.random.default_rng(0).random((2, 1, 3, 12, 17), np.float32)))
    gate = QualityGate.of(model, samples)
    quality = gate.judge(model)
    assert quality.loss_db is None
    assert quality.psnr_db == pytest.approx(200)
    assert gate.passed(quality)
    assert not gate.passed(quality.model_copy(update={"psnr_db": 39.0}))


def test_the_loss_decides_if_there_is_a_truth(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, contract = exact
    gate = QualityGate.of(model, from_folder(None, contract), 1.0)
    quality = gate.judge(model, kept=3)
    assert quality.loss_db == pytest.approx(0)
    assert quality.kept == 3
    assert gate.passed(quality.model_copy(update={"loss_db": 0.1, "psnr_db": 1.0}))
    assert not gate.passed(quality.model_copy(update={"loss_db": 0.11}))


def test_the_worst_output_counts(exact: tuple[onnx.ModelProto, Contract]) -> None:
    model, _ = exact
    samples = CalibrationSamples(tuple((x,) for x in np.random.default_rng(0).random((2, 1, 3, 12, 17), np.float32)))
    image = model.graph.input[0].name

    def with_second(bias: float) -> onnx.ModelProto:
        both = onnx.ModelProto()
        both.CopyFrom(model)
        both.graph.initializer.append(onnx.numpy_helper.from_array(np.array(bias, np.float32), "bias"))
        both.graph.node.append(onnx.helper.make_node("Add", [image, "bias"], ["second"]))
        both.graph.output.append(onnx.helper.make_tensor_value_info("second", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"]))
        return both

    gate = QualityGate.of(with_second(0), samples)
    assert len(gate.spans) == 2
    assert gate.judge(with_second(0)).psnr_db > 199
    assert gate.judge(with_second(0.1)).psnr_db == pytest.approx(20, abs=0.1)
    assert not gate.passed(gate.judge(with_second(0.1)))
