from __future__ import annotations

import dataclasses

import onnx
import pytest

from upconv.export.precision import CalibrationSamples, QualityGate, from_folder, to_int8
from upconv.export.precision.int8 import Quantizer
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError


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
