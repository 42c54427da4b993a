from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from upconv.export import from_module, to_onnx
from upconv.export.precision import PrecisionOptions
from upconv.runtime import Upscaler
from upconv.runtime.contract import Contract, Halo
from upconv.runtime.errors import ExportError
from upconv.runtime.session import open_model


def doubler() -> nn.Module:
    """Return an upscaler with a single layer that int8 can compute."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    layer = module[0]
    assert isinstance(layer, nn.Conv2d)
    with torch.no_grad():
        layer.weight.mul_(0.05)
        for n in range(12):
            layer.weight[n, n // 4, 1, 1] += 1
    return module


def test_int8_passes_its_gate_and_says_what_it_costs(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    to_onnx(from_module(doubler(), name="m"), out=path, reduction=PrecisionOptions("int8"))
    served = open_model(path).contract
    quality = served.evidence.quality
    assert served.precision == "int8"
    assert isinstance(served.halo, Halo)
    assert quality is not None
    assert quality.loss_db is not None
    assert quality.loss_db <= 0.1
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    with Upscaler(path) as upscaler:
        assert upscaler.upscale(np.zeros((40, 50, 3), np.uint8)).shape == (80, 100, 3)


def test_a_result_below_the_limit_is_an_error(exact: tuple[onnx.ModelProto, Contract]) -> None:
    with pytest.raises(ExportError, match="float16 is not enough for this model"):
        PrecisionOptions("fp16", limit_db=-1).apply(*exact)
