from __future__ import annotations

import numpy as np
import onnx
import pytest
from torch import nn

from upconv.export.capture.tracing import capture
from upconv.export.fusion import Fusion, fusion
from upconv.export.sizes import InputAxis
from upconv.runtime.errors import ExportError


def graph(*layers: nn.Module, opset: int = 18) -> onnx.ModelProto:
    free = [InputAxis(index, None, free=True) for index in (2, 3)]
    return capture(nn.Sequential(*layers), "m", [np.zeros((1, 3, 8, 9), np.float32)], free, opset)


@pytest.mark.parametrize("opset", [18, 20, 23])
def test_what_onnxruntime_fuses_at_every_opset(opset: int) -> None:
    body = (nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.LeakyReLU(0.1))
    counted = fusion(graph(*body, nn.ConvTranspose2d(16, 3, 4, stride=2, padding=1), opset=opset))
    assert (counted.convolutions, counted.activated) == (3, 2)
    assert "3 convolutions" in str(counted)


def test_prelu_is_not_fused() -> None:
    counted = fusion(graph(nn.Conv2d(3, 16, 3, padding=1), nn.PReLU(16)))
    assert isinstance(counted, Fusion)
    assert counted.activated == 0


def test_a_graph_that_cannot_be_opened_is_an_error() -> None:
    with pytest.raises(ExportError, match="cannot optimise"):
        fusion(onnx.ModelProto())
