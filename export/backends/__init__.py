"""The ways to compute a model's function, one runtime per file. What loads torch or OpenVINO is imported from its own file."""

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
