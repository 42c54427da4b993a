"""Reduced precision: float16 and int8, each behind a quality gate in decibels."""

from upconv.export.precision.calibration_samples import CalibrationSamples, from_folder, of_pictures
from upconv.export.precision.gate import QualityGate
from upconv.export.precision.reduction import Precision, PrecisionOptions
from upconv.export.precision.sensitivity import ReducedModel, to_int8

__all__ = [
    "CalibrationSamples",
    "Precision",
    "PrecisionOptions",
    "QualityGate",
    "ReducedModel",
    "from_folder",
    "of_pictures",
    "to_int8",
]
