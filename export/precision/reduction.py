"""The reduction of a proved float32 model to float16 or int8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import onnx

from upconv.export.backends import Array
from upconv.export.precision.calibration_samples import CalibrationSamples, from_folder, refuse_folder
from upconv.export.precision.gate import LOSS_DB, QualityGate
from upconv.export.precision.half import to_half
from upconv.export.precision.sensitivity import Progress, ReducedModel, to_int8
from upconv.runtime.contract import Contract
from upconv.runtime.errors import ExportError

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class PrecisionOptions:
    """The precision of an export, its calibration, and the loss that is allowed."""

    precision: Precision = "fp32"
    """The precision of the result."""
    calibrate: Path | None = None
    """A folder of pictures, or of arrays for a model that takes no pictures; `None` for the project's photographs."""
    limit_db: float = LOSS_DB
    """The largest loss against the truth, in decibels."""
    only_if_faster: bool = False
    """Whether to keep float32 if the reduced precision is not faster, or loses too much."""

    def refuse_unusable(self, example: Sequence[Array]) -> None:
        """Raise `ParameterError` if the calibration data do not fit a model with the inputs of `example`."""
        if self.precision != "fp32":
            refuse_folder(self.calibrate, example)

    def apply(
        self,
        model: onnx.ModelProto,
        contract: Contract,
        on_progress: Progress = lambda _, __: None,
        trials: CalibrationSamples | None = None,
    ) -> ReducedModel:
        """Return the model in this precision, calibrated on samples that fit its contract.

        `trials` are the samples of a model that takes no pictures, if no folder is given. Raises `ExportError` if the
        result does not pass the quality gate.
        """
        if trials is not None and self.calibrate is None and contract.task != "upscale":
            samples = trials
        else:
            samples = from_folder(self.calibrate, contract, len(model.graph.input))
        return self.reduced(model, samples, _span(contract), on_progress)

    def reduced(
        self,
        model: onnx.ModelProto,
        samples: CalibrationSamples,
        span: float | None,
        on_progress: Progress = lambda _, __: None,
    ) -> ReducedModel:
        """Return the model in this precision, calibrated and judged on `samples`.

        Raises `ExportError` if the result does not pass the quality gate.
        """
        gate = QualityGate.of(model, samples, span, self.limit_db)
        if self.precision == "int8":
            return to_int8(model, gate, on_progress)
        half = to_half(model)
        quality = gate.judge(half)
        if not gate.passed(quality):
            raise ExportError(f"float16 is not enough for this model: {quality}")
        return ReducedModel(half, quality, ())


def _span(contract: Contract) -> float | None:
    return None if contract.output is None else contract.output.high - contract.output.low
