"""torch's interpolation as ONNX: every `aten.upsample_*` written so that a runtime computes what torch computes."""

from upconv.export.interpolation.lengths import in_double
from upconv.export.interpolation.program import with_scales
from upconv.export.interpolation.translations import TRANSLATIONS

__all__ = ["TRANSLATIONS", "in_double", "with_scales"]
