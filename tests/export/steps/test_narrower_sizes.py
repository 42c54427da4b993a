from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import from_module, to_onnx
from upconv.export.sizes import InputAxis
from upconv.export.steps.narrower_sizes import FACTORS, narrower_sizes, total_stride
from upconv.runtime.contract import SizeLaw

LAW = InputAxis(2, SizeLaw(scale=2, multiple=3, minimum=7), free=True)


def test_ever_larger_multiples_come_before_one_size() -> None:
    *multiples, (one, words) = narrower_sizes([LAW, InputAxis(3, None, free=False)])
    assert [(axes[0].law.multiple, axes[0].law.minimum) for axes, _ in multiples if axes[0].law] == [
        (3 * factor, -(-7 // (3 * factor)) * 3 * factor) for factor in FACTORS
    ]
    assert multiples[0][1] == "only multiples of 6"
    assert ([axis.free for axis in one], words) == ([False, False], "one size only")


def test_the_stride_of_the_graph_is_tried_first() -> None:
    words = [words for _, words in narrower_sizes([LAW], 16)]
    assert words[:3] == ["only multiples of 48", "only multiples of 6", "only multiples of 12"]
    assert len(words) == len(FACTORS) + 1


def test_the_stride_counts_what_is_not_enlarged_again() -> None:
    layers = [nn.Conv2d(3, 4, 3, 2, 1), nn.MaxPool2d(2), nn.ConvTranspose2d(4, 4, 2, 2), nn.Conv2d(4, 3, 3, 2, 1)]
    source = from_module(nn.Sequential(*layers), shape=(1, 3, 32, 32))
    axes = [InputAxis(index, None, free=True) for index in (2, 3)]
    assert total_stride(source.original.capture("m", source.example, axes, 18)) == 4


def test_without_a_law_one_size_remains() -> None:
    assert [words for _, words in narrower_sizes([InputAxis(1, None, free=True)])] == ["one size only"]
    assert list(narrower_sizes([InputAxis(1, None, free=False)])) == []


class PadsOddSizes(nn.Module):
    """A U-Net that pads what it enlarges if the size was odd."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.down, self.up, self.out = nn.Conv2d(1, 8, 3, 1, 1), nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(16, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        low = self.up(F.max_pool2d(skip, 2))
        padding = [0, 0, 0, 0]
        for side in range(2):
            if skip.shape[-side - 1] != low.shape[-side - 1]:
                padding[side * 2 + 1] = 1
        result: Tensor = self.out(torch.cat([skip, F.pad(low, padding, "replicate")], 1))
        return result


def rotated(x: Tensor) -> Tensor:
    angle = torch.eye(2, 3)[None].expand(x.shape[0], -1, -1) * 0.9
    return F.grid_sample(x, F.affine_grid(angle, list(x.shape), align_corners=False), align_corners=False)


def by_rows(x: Tensor) -> Tensor:
    return torch.stack([x[:, :, row] * (row + 1) for row in range(x.shape[2])], 2)


class Calls(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def difference(module: nn.Module, model: bytes, shape: tuple[int, ...]) -> float:
    x = torch.rand(shape)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    return float(np.abs(session.run(None, {"image": x.numpy()})[0] - module(x).detach().numpy()).max())


@pytest.mark.slow
def test_a_u_net_that_pads_odd_sizes_takes_even_ones() -> None:
    module = PadsOddSizes()
    artifact = to_onnx(module, torch.rand(1, 1, 32, 32))
    assert artifact.contract.height == SizeLaw(scale=1, multiple=2, minimum=2)
    (capture,) = (stage for stage in artifact.stages if stage.name == "capture")
    assert "only multiples of 2, by test_narrower_sizes.py:" in capture.summary
    model = artifact.model.SerializeToString()
    assert max(difference(module, model, (2, 1, *size)) for size in ((2, 4), (34, 50), (128, 32))) < 1e-5


@pytest.mark.parametrize(
    ("function", "said"),
    [
        pytest.param(rotated, "one size only", id="grid", marks=pytest.mark.slow),
        pytest.param(by_rows, "height up to 32", id="loop"),
    ],
)
def test_a_size_that_torch_writes_as_a_constant_is_the_only_one(function: Callable[[Tensor], Tensor], said: str) -> None:
    module = Calls(function)
    artifact = to_onnx(module, torch.rand(1, 3, 32, 32))
    (capture,) = (stage for stage in artifact.stages if stage.name == "capture")
    assert f"{said}" in capture.summary
    assert "test_narrower_sizes.py:" in capture.summary
    assert difference(module, artifact.model.SerializeToString(), (1, 3, 32, 32)) < 1e-5
