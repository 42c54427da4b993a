from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array
from upconv.export.precision import CalibrationSamples, PrecisionOptions, QualityGate
from upconv.runtime.contract import Quality

ZEROS = np.zeros((1, 1, 8, 8), np.float32)


def adding(value: float) -> onnx.ModelProto:
    """A model that adds a constant."""
    pictures = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "value"], ["y"])],
        "adding",
        pictures[:1],
        pictures[1:],
        [numpy_helper.from_array(np.array(value, np.float32), "value")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def gate(*truths: Array) -> QualityGate:
    """A gate for a model that leaves pictures as they are, where these would be right; of a range of 1."""
    inputs = tuple((ZEROS,) for _ in truths or (1,))
    return QualityGate.of(adding(0), CalibrationSamples(inputs, truths or None), span=1.0)


@pytest.mark.parametrize(("loss_db", "passes"), [(-1.0, True), (0.1, True), (0.101, False), (0.9, False)])
def test_a_tenth_of_a_decibel_may_be_lost_against_the_truth(loss_db: float, passes: bool) -> None:
    for psnr_db in (10.0, 90.0):
        assert gate(ZEROS).passed(Quality(psnr_db=psnr_db, loss_db=loss_db, samples=1)) is passes


@pytest.mark.parametrize(("psnr_db", "passes"), [(39.99, False), (40.0, True)])
def test_without_a_truth_40_decibels_are_asked_for(psnr_db: float, passes: bool) -> None:
    assert gate().passed(Quality(psnr_db=psnr_db, samples=1)) is passes


def test_what_is_asked_for_can_be_set() -> None:
    assert PrecisionOptions().limit_db == 0.1
    lost = Quality(psnr_db=50.0, loss_db=0.3, samples=1)
    assert not gate(ZEROS).passed(lost)
    assert replace(gate(ZEROS), limit_db=0.3).passed(lost)


@pytest.mark.parametrize(("error", "psnr_db"), [(0.01, 40), (0.1, 20)])
def test_one_percent_of_the_range_is_40_decibels(error: float, psnr_db: float) -> None:
    quality = gate().judge(adding(error))
    assert quality.psnr_db == pytest.approx(psnr_db, abs=0.001)
    assert (quality.loss_db, quality.samples) == (None, 1)


@pytest.mark.parametrize(
    ("truths", "error", "loss_db"),
    [
        ((0.1,), 0.0, 0),
        ((0.1,), -0.1, 20 * np.log10(2)),  # twice as far from the truth
        ((0.1,), 0.05, -20 * np.log10(2)),
        ((0.1, -0.1), 0.05, 10 * np.log10(0.5 * 1.5)),  # the mean over the samples, in decibels
    ],
)
def test_the_loss_is_how_much_farther_the_truth_is(truths: tuple[float, ...], error: float, loss_db: float) -> None:
    quality = gate(*(ZEROS + np.float32(truth) for truth in truths)).judge(adding(error))
    assert quality.loss_db == pytest.approx(loss_db, abs=0.001)
    assert quality.samples == len(truths)
