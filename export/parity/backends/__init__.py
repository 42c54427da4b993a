"""Things that compute a model's function, one runtime a file."""

from upconv.export.parity.backends.backend import Array, Backend, Precision, rounds_to
from upconv.export.parity.backends.onnxruntime_session import LEVELS, OnnxruntimeBackend
from upconv.export.parity.backends.reference_graph import ReferenceBackend
from upconv.export.parity.backends.torch_module import TorchBackend

__all__ = [
    "LEVELS",
    "Array",
    "Backend",
    "OnnxruntimeBackend",
    "Precision",
    "ReferenceBackend",
    "TorchBackend",
    "rounds_to",
]
