"""Torch to ONNX: capture, simplify, prove, describe."""

from upconv.export.pipeline import Artifact, StageReport, export
from upconv.export.sources import Source, from_factory, from_module

__all__ = ["Artifact", "Source", "StageReport", "export", "from_factory", "from_module"]
