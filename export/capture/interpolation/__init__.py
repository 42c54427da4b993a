"""Translations of torch's interpolation to ONNX that give the same result as torch in every runtime."""

from upconv.export.capture.interpolation.exported_program import lines_pooled_as_pictures, with_scales
from upconv.export.capture.interpolation.lengths import lengths_in_double
from upconv.export.capture.interpolation.translations import TRANSLATIONS

__all__ = ["TRANSLATIONS", "lengths_in_double", "lines_pooled_as_pictures", "with_scales"]
