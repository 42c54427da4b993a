"""The picture model of a Triton model repository, which runs in Triton's Python backend."""

from upconv.runtime.triton_backend.picture_model import TritonPythonModel

__all__ = ["TritonPythonModel"]
