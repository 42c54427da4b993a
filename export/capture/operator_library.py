"""The functions of onnxscript that write torch's operators as ONNX, read once per process.

torch's exporter reads the source and the types of all of them again for each graph, which takes about half a second.
"""

from __future__ import annotations

import sys
from functools import cache
from types import ModuleType

_PREFIX = "onnxscript._framework_apis.torch_"
"""The modules that torch reads the functions from: each version of torch has its own."""

_SIGNATURES = "torch.onnx._internal.exporter._schemas"
"""The module that derives the signature of a function from its types."""


def read_once() -> None:
    """Let torch's exporter get what it read before. If torch reads it in another way, this changes nothing."""
    for name, module in list(sys.modules.items()):
        if name.startswith(_PREFIX):
            _keep(module, "get_torchlib_ops")
    if _SIGNATURES in sys.modules:
        _keep(sys.modules[_SIGNATURES], "op_signature_from_function")


@cache
def _keep(module: ModuleType, name: str) -> None:
    if hasattr(module, name):
        setattr(module, name, cache(getattr(module, name)))
