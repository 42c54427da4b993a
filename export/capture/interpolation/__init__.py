"""torch's interpolation as ONNX: a runtime computes from every `aten.upsample_*` what torch computes."""

from upconv.export.capture.interpolation.exported_program import lines_pooled_as_pictures, with_scales
from upconv.export.capture.interpolation.lengths import lengths_in_double
from upconv.export.capture.interpolation.translations import TRANSLATIONS

__all__ = ["TRANSLATIONS", "lengths_in_double", "lines_pooled_as_pictures", "with_scales"]
