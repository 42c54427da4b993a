"""Modules to export: the systems of the articles the project grew out of, and small upscalers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Protocol

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import Artifact, export, from_module


class Exported(Protocol):
    """Exports a module and reads the file back."""

    def __call__(
        self, module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model"
    ) -> tuple[Artifact, onnx.ModelProto]: ...


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """An export into the test's own folder."""

    def run(module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model") -> tuple[Artifact, onnx.ModelProto]:
        artifact = export(from_module(module, name=name, shape=shape), tmp_path / f"{name}.onnx")
        return artifact, onnx.load(artifact.path)

    return run


class Generator(nn.Module):
    """Three strided convolutions down, three bilinear doublings up; once with a module, once with the function."""

    def __init__(self, form: str, in_channels: int = 3) -> None:
        super().__init__()
        self.form = form
        channels = [in_channels, 32, 64, 128]
        encoder: list[nn.Module] = []
        for index, (a, b) in enumerate(pairwise(channels)):
            encoder += [nn.ReflectionPad2d(1), nn.Conv2d(a, b, 3, stride=2)]
            if index < 2:
                encoder += [nn.BatchNorm2d(b), nn.ReLU()]
        self.encoder = nn.Sequential(*encoder)
        self.decoder = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(128, 64, 1), nn.BatchNorm2d(64), nn.ReLU()),
                nn.Sequential(nn.Conv2d(64, 32, 1), nn.BatchNorm2d(32), nn.ReLU()),
                nn.Sequential(nn.Conv2d(32, 3, 1), nn.Tanh()),
            ]
        )
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.encoder(image)
        for layer in self.decoder:
            if self.form == "module":
                features = self.upsample(features)
            else:
                features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
            features = layer(features)
        return features


class Net(nn.Module):
    """A classifier of 32x32 images whose ten scores are enlarged as if they were a one-pixel image."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.scores = nn.Sequential(nn.Linear(16 * 6 * 6, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
        self.upsample = nn.UpsamplingBilinear2d(scale_factor=2)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.scores(self.features(image).flatten(1))
        enlarged: Tensor = self.upsample(scores[:, :, None, None])
        return enlarged


@pytest.fixture
def generators() -> tuple[Generator, Generator]:
    """Both forms, with the same weights."""
    torch.manual_seed(0)
    module, function = Generator("module"), Generator("function")
    function.load_state_dict(module.state_dict())
    return module, function


@pytest.fixture
def net() -> Net:
    """The end-to-end example."""
    torch.manual_seed(0)
    return Net()
