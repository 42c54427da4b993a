"""Torch to ONNX: capture, simplify, prove, describe."""

from upconv.export.pipeline import export
from upconv.export.report import Artifact, StageReport
from upconv.export.sources import Source, from_factory, from_module

__all__ = ["Artifact", "Source", "StageReport", "export", "from_factory", "from_module"]
