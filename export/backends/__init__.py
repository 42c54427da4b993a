"""The ways to compute a model, one runtime per file. Files that load torch or OpenVINO are imported on their own."""

from upconv.export.backends.backend import Array, Backend, Precision, rounds_to
from upconv.export.backends.onnxruntime_session import LEVELS, OnnxruntimeBackend

__all__ = [
    "LEVELS",
    "Array",
    "Backend",
    "OnnxruntimeBackend",
    "Precision",
    "rounds_to",
]
