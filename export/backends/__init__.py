"""The ways to compute a model's function, one runtime per file. `torch_module` is imported on its own, because it needs torch."""

from upconv.export.backends.backend import Array, Backend, Precision, rounds_to
from upconv.export.backends.onnxruntime_session import LEVELS, OnnxruntimeBackend
from upconv.export.backends.reference_graph import ReferenceBackend

__all__ = [
    "LEVELS",
    "Array",
    "Backend",
    "OnnxruntimeBackend",
    "Precision",
    "ReferenceBackend",
    "rounds_to",
]
