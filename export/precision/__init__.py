"""Fewer bits: float16 and int8, each behind a gate in decibels on pictures."""

from upconv.export.precision.gate import Gate
from upconv.export.precision.reduction import Precision, Reduction
from upconv.export.precision.samples import Samples, from_folder, of_pictures
from upconv.export.precision.sensitivity import Reduced, to_int8

__all__ = ["Gate", "Precision", "Reduced", "Reduction", "Samples", "from_folder", "of_pictures", "to_int8"]
