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


def test_a_second_graph_is_the_same_and_reads_nothing() -> None:
    decoder = nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.PixelShuffle(2))
    first, second = (capture(decoder, "m", [torch.rand(1, 4, 8, 8).numpy()], []).SerializeToString() for _ in range(2))
    assert first == second
    apis = sys.modules["onnxscript._framework_apis.torch_2_11"]
    assert apis.get_torchlib_ops() is apis.get_torchlib_ops()
