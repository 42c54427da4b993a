"""Any decoder to ONNX: capture, simplify, prove, describe."""

from upconv.export.pipeline import export
from upconv.export.report import Artifact, StageReport
from upconv.export.sources import (
    Source,
    from_checkpoint,
    from_factory,
    from_keras,
    from_module,
    from_onnx,
    from_program,
    open_source,
)

__all__ = [
    "Artifact",
    "Source",
    "StageReport",
    "export",
    "from_checkpoint",
    "from_factory",
    "from_keras",
    "from_module",
    "from_onnx",
    "from_program",
    "open_source",
]
