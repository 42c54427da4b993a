"""The functions of onnxscript that write torch's operators as ONNX, read once per process.

torch's exporter reads the source of all of them again for each graph, which takes about a third of a second.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

_PREFIX = "onnxscript._framework_apis.torch_"
"""The modules that torch reads the functions from: each version of torch has its own."""


def read_once() -> None:
    """Let torch's exporter get the functions that it read before. If torch reads them in another way, this changes nothing."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_PREFIX) and hasattr(module, "get_torchlib_ops"):
            _keep(module)


@cache
def _keep(module: ModuleType) -> None:
    module.get_torchlib_ops = cache(module.get_torchlib_ops)  # type: ignore[attr-defined]
