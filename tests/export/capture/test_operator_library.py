from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from upconv.export.capture import operator_library
from upconv.export.capture.tracing import capture


def test_the_functions_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times, module = list[int](), ModuleType("onnxscript._framework_apis.torch_9_9")
    module.get_torchlib_ops = lambda: times.append(1)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for _ in range(3):
        operator_library.read_once()
        module.get_torchlib_ops()
    assert len(times) == 1


def test_signatures_are_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    times, module = list[object](), ModuleType("torch.onnx._internal.exporter._schemas")
    module.op_signature_from_function = lambda function, domain, since_version=1: times.append(function)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for function in (len, len, max, len):
        operator_library.read_once()
        module.op_signature_from_function(function, "ai.onnx", since_version=18)
    assert times == [len, max]


def test_another_version_of_torch_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = [ModuleType(name) for name in ("onnxscript._framework_apis.torch_9_8", "torch.onnx._internal.exporter._schemas")]
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    operator_library.read_once()
    assert not any(hasattr(module, "get_torchlib_ops") or hasattr(module, "op_signature_from_function") for module in modules)


def test_a_second_graph_is_the_same_and_reads_nothing() -> None:
    decoder = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(2))
    first, second = (capture(decoder, "m", [torch.rand(1, 4, 8, 8).numpy()], []).SerializeToString() for _ in range(2))
    assert first == second
    apis = sys.modules["onnxscript._framework_apis.torch_2_11"]
    assert apis.get_torchlib_ops() is apis.get_torchlib_ops()
