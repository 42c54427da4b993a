"""Any decoder to ONNX: capture, simplify, prove, describe. `upconv.export(module, example)` is `upconv.export.export`."""

import sys
from types import ModuleType
from typing import Any

from upconv.export.pipeline import export, tune
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
    "tune",
]


class _Export(ModuleType):
    # The package and what it is for have one name, and users call it by that.
    def __call__(self, *arguments: Any, **options: Any) -> Artifact:
        return export(*arguments, **options)


sys.modules[__name__].__class__ = _Export
