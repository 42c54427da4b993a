"""The backends: ways to compute a model, one per file.

The backends for torch and OpenVINO are imported from their own files, because loading these packages is slow.
"""

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
