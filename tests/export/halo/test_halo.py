"""The halo of torch layers, captured as graphs."""

from __future__ import annotations

import onnx
import pytest
import torch
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.graphs import OPSET
from upconv.export.halo import derivation
from upconv.export.reference import output_shapes
from upconv.export.sizes import find_axes
from upconv.export.sources import from_module
from upconv.runtime.contract import Halo, NoHalo


class Squeeze(nn.Module):
    """Channels weighed by their mean over the whole image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.conv(image)
        return features * features.mean(dim=(2, 3), keepdim=True).sigmoid()


class Cropped(nn.Module):
    """A convolution whose first rows and columns are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features: Tensor = self.conv(image)
        return features[:, :, 1:, 2:]


def captured(module: nn.Module) -> onnx.ModelProto:
    torch.manual_seed(0)
    source = from_module(module, name="m", shape=(1, 3, 32, 32))
    backend = source.original.backend("float32")
    axes = find_axes(lambda shapes: output_shapes(backend, source, shapes), source.shapes)
    return source.original.capture("m", source.example, axes, OPSET)


def sides(module: nn.Module) -> tuple[int, int, int, int]:
    """Top, bottom, left, right, after the probe has agreed that they are not too small."""
    model = captured(module)
    reaches = derivation.derive(model)
    assert not isinstance(reaches, NoHalo), reaches
    assert derivation.probe(OnnxruntimeBackend(model), (1, 3, 48, 48), reaches) is None
    halo = derivation.halo_of(reaches)
    return halo.top, halo.bottom, halo.left, halo.right


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (nn.Conv2d(3, 4, 3, padding=1), (1, 1, 1, 1)),
        (nn.Conv2d(3, 4, (5, 3), padding=(2, 2), dilation=(1, 2)), (2, 2, 2, 2)),
        (nn.Conv2d(3, 4, 4, padding=1), (1, 2, 1, 2)),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)), (2, 2, 2, 2)),
        (nn.ConvTranspose2d(3, 4, 4, stride=2, padding=1), (1, 1, 1, 1)),
        (nn.ConvTranspose2d(3, 4, 2, stride=2), (0, 0, 0, 0)),
        (nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1), (0, 1, 0, 1)),
        (nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2)), (1, 1, 1, 1)),
        (nn.Upsample(scale_factor=2, mode="nearest"), (0, 0, 0, 0)),
        (nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(3, 3, 3, padding=1)), (1, 1, 1, 1)),
        (nn.Upsample(scale_factor=2, mode="bilinear"), (1, 1, 1, 1)),
        (nn.Upsample(scale_factor=3, mode="bicubic"), (2, 2, 2, 2)),
        (Cropped(), (0, 2, 0, 3)),
        (nn.Sequential(nn.ReflectionPad2d(2), nn.Conv2d(3, 3, 5)), (2, 2, 2, 2)),
        (nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ConvTranspose2d(4, 3, 2, stride=2)), (1, 0, 1, 0)),
    ],
)
def test_the_halo_of_layers(module: nn.Module, expected: tuple[int, int, int, int]) -> None:
    found = sides(module)
    assert all(a >= b for a, b in zip(found, expected, strict=True))  # never too small
    assert all(a <= b + 1 for a, b in zip(found, expected, strict=True))  # and hardly too large
    assert found == expected or isinstance(module, nn.Sequential)


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (nn.UpsamplingBilinear2d(scale_factor=2), "align_corners"),
        (nn.InstanceNorm2d(3), "whole image"),
        (Squeeze(), "whole image"),
    ],
)
def test_what_looks_at_the_whole_image_is_named(module: nn.Module, reason: str) -> None:
    found = derivation.derive(captured(module))
    assert isinstance(found, NoHalo)
    assert found.node
    assert reason in found.reason


def test_the_probe_finds_a_halo_that_is_too_small() -> None:
    model = captured(nn.Conv2d(3, 4, 3, padding=1))
    too_small = derivation.derive(captured(nn.Conv2d(3, 4, 1)))
    assert not isinstance(too_small, NoHalo)
    assert derivation.halo_of(too_small) == Halo(top=0, bottom=0, left=0, right=0)
    assert derivation.probe(OnnxruntimeBackend(model), (1, 3, 16, 16), too_small) is not None
