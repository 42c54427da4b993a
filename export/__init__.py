"""The export of decoders to ONNX: capture, simplify, rewrite, prove, describe.

Each name below is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upconv.export.pipeline import to_onnx, tune
    from upconv.export.report import Artifact, StageReport
    from upconv.export.sources import (
        Source,
        SourceOptions,
        from_checkpoint,
        from_factory,
        from_keras,
        from_module,
        from_ncnn,
        from_onnx,
        from_program,
        open_source,
    )

__all__ = [
    "Artifact",
    "Source",
    "SourceOptions",
    "StageReport",
    "from_checkpoint",
    "from_factory",
    "from_keras",
    "from_module",
    "from_ncnn",
    "from_onnx",
    "from_program",
    "open_source",
    "to_onnx",
    "tune",
]

_MODULES = {"Artifact": "report", "StageReport": "report", "to_onnx": "pipeline", "tune": "pipeline"}


def __getattr__(name: str) -> Any:
    # The modules below import torch, and `upconv inspect` must work without it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'sources')}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
