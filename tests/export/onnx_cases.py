"""onnx's own test cases of single operators."""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from typing import Any


@cache
def onnx_cases(operator: str) -> list[Any]:
    """Return the cases whose graph is one node of `operator`. onnx computes cases when it loads them, and those of all operators take ten seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some cases overflow on purpose
        import_module(f"onnx.backend.test.case.node.{operator.lower()}")
    found = import_module("onnx.backend.test.case.node")._NodeTestCases
    return [case for case in found if [node.op_type for node in case.model.graph.node] == [operator]]
