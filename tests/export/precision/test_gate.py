from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from upconv.export.backends import Array
from upconv.export.precision import CalibrationSamples, PrecisionOptions, QualityGate
from upconv.runtime.contract import Quality


def shift(by: float) -> onnx.ModelProto:
    """Return a model that adds a number to each value."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    weight = numpy_helper.from_array(np.array([by], np.float32), "w")
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", value[:1], value[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


INPUTS = ((np.array([0, 1], np.float32),), (np.array([0, 0.5], np.float32),))


def gate(truths: tuple[Array, ...] | None = None, span: float | None = None) -> QualityGate:
    """Return the gate of a model that copies its input."""
    return QualityGate.of(shift(0), CalibrationSamples(INPUTS, truths), span)


def quality(psnr_db: float = 0, loss_db: float | None = None) -> Quality:
    return Quality(psnr_db=psnr_db, loss_db=loss_db, samples=1)


@pytest.mark.parametrize(("loss_db", "passed"), [(0.1, True), (0.1001, False), (-1, True)])
def test_a_tenth_of_a_decibel_may_be_lost_against_the_truth(loss_db: float, passed: bool) -> None:
    assert gate().passed(quality(psnr_db=0, loss_db=loss_db)) is passed


@pytest.mark.parametrize(("psnr_db", "passed"), [(40, True), (39.99, False)])
def test_without_a_truth_forty_decibels_are_needed(psnr_db: float, passed: bool) -> None:
    assert gate().passed(quality(psnr_db=psnr_db)) is passed


def test_the_limit_of_the_options_is_that_of_the_gate() -> None:
    assert PrecisionOptions().limit_db == 0.1
    own = QualityGate.of(shift(0), CalibrationSamples(INPUTS), limit_db=0.3)
    assert own.passed(quality(loss_db=0.3))
    assert not own.passed(quality(loss_db=0.31))


@pytest.mark.parametrize(("span", "psnr_db"), [(None, 40), (1.0, 40), (10.0, 60)])
def test_psnr_refers_to_the_range(span: float | None, psnr_db: float) -> None:
    judged = gate(span=span).judge(shift(0.01), kept=3)
    assert judged.psnr_db == pytest.approx(psnr_db, abs=1e-4)
    assert (judged.loss_db, judged.samples, judged.kept) == (None, 2, 3)


def test_equal_outputs_have_a_finite_psnr() -> None:
    assert gate().judge(shift(0)).psnr_db == pytest.approx(200)


def test_the_loss_is_the_mean_of_the_samples_in_decibels() -> None:
    # The exact model is wrong by 0.1 in each sample; the reduced one by 0.2 in the first and by 0.1 in the second.
    truths = (INPUTS[0][0] - np.float32(0.1), INPUTS[1][0] + np.float32(0.2))
    judged = gate(truths).judge(shift(0.1))
    first, second = 20 * np.log10(0.2 / 0.1), 20 * np.log10(0.1 / 0.2)
    assert judged.loss_db == pytest.approx((first + second) / 2, abs=1e-4)
