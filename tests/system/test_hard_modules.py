"""Modules as people have them, each exported and compared with torch at sizes other than that of the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import Artifact, to_onnx
from upconv.runtime.upscaler import Upscaler


class Calls(nn.Module):
    """A module that enlarges by a transposed convolution and calls a function with the layer and its inputs."""

    def __init__(self, function: Callable[..., Any], channels: int = 3, out: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up = nn.ConvTranspose2d(channels, out, 4, 2, 1)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.up, x)


def difference(artifact: Artifact, module: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Return the largest difference between the outputs of onnxruntime and of torch."""
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed = {value.name: array.numpy() for value, array in zip(session.get_inputs(), inputs, strict=True)}
    with torch.no_grad():
        expected = module(*inputs)
    expected = expected if isinstance(expected, tuple) else (expected,)
    return max(float(np.abs(x - y.numpy()).max()) for x, y in zip(session.run(None, feed), expected, strict=True))


def warped(up: nn.Module, x: Tensor) -> Tensor:
    angle = torch.eye(2, 3)[None].to(x).expand(x.shape[0], 2, 3)
    grid = F.affine_grid(angle, list(x.shape), align_corners=False)
    result: Tensor = up(F.grid_sample(x, grid, align_corners=False))
    return result


def looped(up: nn.Module, x: Tensor) -> Tensor:
    y: Tensor = up(x)
    for _ in range(x.shape[2] // 16):
        y = y + 0.1 * torch.sin(y)
    return y


def split(up: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = torch.cat([up(x[n : n + 1]) for n in range(x.shape[0])]) if x.shape[0] > 1 else up(x)
    return result


PICTURE = torch.rand(1, 3, 32, 32)

MODULES: dict[str, tuple[nn.Module, Tensor, list[tuple[int, ...]]]] = {
    "float32 by a cast": (Calls(lambda up, x: up(x.float())), PICTURE, [(2, 3, 17, 40)]),
    "an affine grid": (Calls(warped), PICTURE, []),
    "a loop over rows": (Calls(looped), PICTURE, []),
    "a batch split into items": (Calls(split), PICTURE, [(1, 3, 40, 20)]),
    "depth without channels": (Calls(lambda up, x: up(x).squeeze(1), out=1), PICTURE, [(2, 3, 17, 40)]),
    "a vector and a map": (Calls(lambda up, x: (up(x).mean((2, 3)), up(x))), PICTURE, [(2, 3, 17, 40)]),
    "bicubic to one pixel": (
        Calls(lambda up, x: F.interpolate(x, size=[1, 1], mode="bicubic"), 1, 1),
        torch.rand(1, 1, 4, 4),
        [(2, 1, 4, 4)],
    ),
    "five strided convolutions": (
        nn.Sequential(*[nn.Conv2d(3, 3, 3, 2, 1) for _ in range(5)]),
        torch.rand(1, 3, 64, 64),
        [(2, 3, 96, 160), (1, 3, 1056, 64)],
    ),
    "weight norm": (
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3, padding=1)), nn.ConvTranspose2d(8, 3, 4, 2, 1)),
        PICTURE,
        [(2, 3, 17, 40)],
    ),
    "a line, linear": (
        nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.Upsample(scale_factor=2, mode="linear"), nn.Conv1d(4, 1, 1)),
        torch.rand(1, 1, 64),
        [(2, 1, 37)],
    ),
    "a line, transposed": (nn.Sequential(nn.ConvTranspose1d(1, 4, 8, 4, 2)), torch.rand(1, 1, 64), [(2, 1, 37)]),
    "a volume": (
        nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Upsample(scale_factor=2, mode="trilinear"), nn.Conv3d(4, 1, 1)),
        torch.rand(1, 1, 8, 8, 8),
        [(2, 1, 5, 9, 7)],
    ),
}


SLOW = {"a volume", "an affine grid", "bicubic to one pixel"}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODULES])
def test_a_hard_module_is_exported_and_equal(name: str) -> None:
    module, example, shapes = MODULES[name]
    artifact = to_onnx(module.eval(), example)
    for shape in (tuple(example.shape), *shapes):
        assert difference(artifact, module, [torch.rand(shape)]) < 2e-5


def test_pictures_in_bytes_are_taken() -> None:
    module = Calls(lambda up, x: up(x.float() / 255))
    artifact = to_onnx(module, torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8))
    assert difference(artifact, module, [torch.randint(0, 256, (2, 3, 17, 20), dtype=torch.uint8)]) < 1e-5


def test_the_range_of_the_example_is_proved() -> None:
    module = Calls(lambda up, x: F.logsigmoid(10 * F.interpolate(x, scale_factor=2)), 4)
    example = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0)) * 9
    assert 10 * example.min() < -104  # below, the logarithm of float32's sigmoid is not finite
    assert difference(to_onnx(module, example), module, [example]) < 2e-5


class AmplifiesNoise(nn.Module):
    """A network whose features grow with the detail of the picture, so that float32 is imprecise on noise."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lift, self.head = nn.Conv2d(3, 24, 3, padding=1), nn.Conv2d(24, 12, 3, padding=1)
        self.body = nn.ModuleList(nn.Conv2d(24, 24, 3, padding=1) for _ in range(6))

    def forward(self, x: Tensor) -> Tensor:
        y = self.lift(x - F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)) * 4
        for layer in self.body:
            feature = layer(y)
            y = y + feature * feature * feature
        return F.pixel_shuffle(self.head(torch.tanh(y / 50) * 50), 2) * 1e-3 + F.interpolate(x, scale_factor=2)


class LiftsLate(nn.Module):
    """A network whose first convolution in the order of its parts does not see the picture."""

    def __init__(self, *, excite: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.lift = nn.Conv2d(24, 24, 3, padding=1), nn.Conv2d(3, 24, 3, padding=1)
        self.head, self.excite = nn.Conv2d(24, 12, 3, padding=1), excite

    def forward(self, x: Tensor) -> Tensor:
        y = self.lift(x)
        if self.excite:
            y = y * F.interpolate(torch.sigmoid(F.adaptive_max_pool2d(y, 2)), size=y.shape[2:])
        return F.pixel_shuffle(self.head(F.relu(self.body(y))), 2)


@pytest.mark.parametrize(
    "module", [AmplifiesNoise(), LiftsLate(), LiftsLate(excite=True)], ids=["amplifies", "lifts late", "adaptive maximum"]
)
def test_an_upscaler_without_an_example_enlarges_a_picture(module: nn.Module, tmp_path: Path) -> None:
    artifact = to_onnx(module.eval(), out=tmp_path / "m.onnx")
    assert artifact.contract.task == "upscale"
    with Upscaler(tmp_path / "m.onnx") as upscaler:
        assert upscaler.upscale(np.zeros((50, 70, 3), np.uint8)).shape == (100, 140, 3)
