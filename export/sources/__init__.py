"""Sources of an export: torch and Keras models, checkpoints, traced programs and ONNX files."""

from upconv.export.sources.checkpoint import from_checkpoint
from upconv.export.sources.dispatch import READERS, as_source, open_source
from upconv.export.sources.factory import from_factory
from upconv.export.sources.graph import from_onnx
from upconv.export.sources.keras_model import from_keras
from upconv.export.sources.module import from_module
from upconv.export.sources.ncnn import from_ncnn
from upconv.export.sources.options import Example, SourceKeywords, SourceOptions
from upconv.export.sources.program import from_program
from upconv.export.sources.source import Source, SourceModel
from upconv.export.sources.weights import load_weights

__all__ = [
    "READERS",
    "Example",
    "Source",
    "SourceKeywords",
    "SourceModel",
    "SourceOptions",
    "as_source",
    "from_checkpoint",
    "from_factory",
    "from_keras",
    "from_module",
    "from_ncnn",
    "from_onnx",
    "from_program",
    "load_weights",
    "open_source",
]
