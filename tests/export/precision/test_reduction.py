from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from upconv.export import from_module, to_onnx
from upconv.export.precision import PrecisionOptions
from upconv.export.report import StageReport
from upconv.export.sources import Example
from upconv.runtime import Upscaler
from upconv.runtime.contract import Contract, Halo
from upconv.runtime.errors import ExportError, ParameterError
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


class Latent(nn.Module):
    """A decoder of latents with two outputs, and a number of a step beside the latent."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 16, 3, padding=1)
        self.last = nn.ConvTranspose2d(16, 3, 4, 2, 1)

    def forward(self, latent: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.first(latent) * (1 + step[:, None, None, None].float() / 1000)
        return self.last(hidden), hidden.mean((2, 3))


class Restoring(nn.Module):
    """A U-Net of scale 1 from RGB to RGB."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 16, 3, 2, 1)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.last = nn.Conv2d(11, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.last(torch.cat([self.up(torch.relu(self.down(image))), image], 1))
        return result


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize(
    ("module", "example"),
    [
        (Latent(), (torch.randn(1, 4, 16, 16), torch.tensor([500]))),
        (Restoring(), torch.rand(1, 3, 32, 32)),
        (nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), torch.randn(1, 8)),
    ],
)
def test_any_decoder_is_reduced(module: nn.Module, example: Example, precision: Literal["int8", "fp16"]) -> None:
    contract = to_onnx(module, example, reduction=PrecisionOptions(precision)).contract
    assert contract.precision == precision
    assert contract.evidence.quality is not None and contract.evidence.quality.psnr_db > 40


def test_what_cannot_calibrate_is_refused_before_the_export_begins() -> None:
    begun: list[StageReport] = []
    reduction = PrecisionOptions("int8", Path(__file__).parents[2] / "data")
    example = (torch.randn(1, 4, 16, 16), torch.tensor([500]))
    with pytest.raises(ParameterError, match="takes no pictures"):
        to_onnx(Latent(), example, reduction=reduction, on_stage=begun.append)
    assert not begun
