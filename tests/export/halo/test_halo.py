"""The halo of torch models: layers captured as graphs, and tiles that equal the whole picture at any size."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from upconv.export import Artifact, from_module, to_onnx
from upconv.export.backends import OnnxruntimeBackend
from upconv.export.graphs import OPSET
from upconv.export.halo import derivation
from upconv.export.halo.deviation import HALOS_PX
from upconv.export.reference import output_shapes
from upconv.export.sizes import find_axes
from upconv.models import CATALOGUE, bundled
from upconv.runtime import Engine, Model, open_model
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


REACH_PX = 80


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A doubler that looks 40 and 80 pixels far, in a straight line."""
    conv = nn.Conv2d(3, 12, 5, padding=REACH_PX, dilation=REACH_PX // 2, bias=False)
    torch.manual_seed(0)
    conv.weight.data = torch.rand_like(conv.weight) / 75
    return to_onnx(
        from_module(nn.Sequential(conv, nn.PixelShuffle(2)), name="far"), out=tmp_path_factory.mktemp("far") / "f.onnx"
    )


def test_a_wide_halo_comes_with_what_narrower_ones_cost(far: Artifact) -> None:
    table = open_model(far.path).contract.halo_deviation
    assert tuple(row.halo_px for row in table) == tuple(px for px in HALOS_PX if px < REACH_PX)
    assert all(row.steps > 5 for row in table)  # none of them reaches the outer taps
    assert table[-1].steps < table[0].steps  # the widest reaches the inner ones
    assert all(0 < row.share <= 1 for row in table)
    assert any(stage.name == "deviation" and "10: " in stage.summary for stage in far.stages)


def test_the_exact_halo_is_exact(far: Artifact) -> None:
    assert far.contract.evidence.tiling_max_abs is not None
    assert far.contract.evidence.tiling_max_abs <= 1e-6


def test_a_narrow_halo_needs_no_table(tmp_path: Path) -> None:
    artifact = to_onnx(from_module(nn.Upsample(scale_factor=2), name="near"), out=tmp_path / "n.onnx")
    assert artifact.contract.halo_deviation == ()


class Waifu2xLike(nn.Module):
    """upconv_7: convolutions without padding, and a transposed one that crops; padded by its edge first."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 4, 4, 6, 6, 8, 8)
        layers = [(nn.Conv2d(a, b, 3), nn.LeakyReLU(0.1)) for a, b in pairwise(channels)]
        self.body = nn.Sequential(*(part for layer in layers for part in layer))
        self.head = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=3)

    def forward(self, image: Tensor) -> Tensor:
        enlarged: Tensor = self.head(self.body(F.pad(image, (7, 7, 7, 7), mode="replicate")))
        return enlarged


class DenseBlock(nn.Module):
    def __init__(self, channels: int = 8, growth: int = 4) -> None:
        super().__init__()
        widths = [growth, growth, growth, growth, channels]
        self.layers = nn.ModuleList(nn.Conv2d(channels + n * growth, width, 3, padding=1) for n, width in enumerate(widths))

    def forward(self, image: Tensor) -> Tensor:
        known = image
        for layer in self.layers:
            new = layer(known)
            known = torch.cat([known, F.leaky_relu(new, 0.2)], dim=1)
        result: Tensor = image + 0.2 * new
        return result


class RrdbLike(nn.Module):
    """ESRGAN with a body of one block: nearest, then convolutions, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.body = nn.Conv2d(3, 8, 3, padding=1), DenseBlock()
        self.ups = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.last = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.first(image)
        features = features + self.body(features)
        for up in self.ups:
            features = F.leaky_relu(up(F.interpolate(features, scale_factor=2.0, mode="nearest")), 0.2)
        enlarged: Tensor = self.last(features)
        return enlarged


class OutputPadding(nn.Module):
    """A transposed convolution that looks further to one side than to the other."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 5, padding=2)
        self.head = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1, output_padding=1)

    def forward(self, image: Tensor) -> Tensor:
        enlarged: Tensor = self.head(F.relu(self.body(image)))
        return enlarged


KINDS: dict[str, type[nn.Module]] = {
    "waifu2x-like": Waifu2xLike,
    "rrdb-like": RrdbLike,
    "output-padding": OutputPadding,
}


BUNDLED = [name for name, entry in CATALOGUE.items() if entry.artifact.is_file()]


@pytest.fixture(scope="module", params=[*KINDS, *BUNDLED])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    if request.param in BUNDLED:
        yield open_model(bundled(request.param))
        return
    torch.manual_seed(0)
    path = Path(tmp_path_factory.mktemp("tiling"), "model.onnx")
    to_onnx(from_module(KINDS[request.param]().eval(), name=request.param), out=path)
    yield open_model(path)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), tile_px=st.integers(1, 70))
def test_tiles_equal_the_whole_at_any_size(model: Model, height: int, width: int, tile_px: int) -> None:
    picture = np.random.default_rng(height * 100 + width).random((3, height, width), np.float32)
    with Engine(model, workers=2, tile_px=tile_px) as tiled, Engine(model, workers=1, tile_px=4096) as whole:
        assert len(whole.plan(height, width).tiles) == 1
        result = tiled.enlarge(picture)
        assert result.shape == (3, height * model.contract.scale, width * model.contract.scale)
        assert np.abs(result - whole.enlarge(picture)).max() <= 1e-6


def test_a_picture_that_the_model_takes_is_given_to_it_as_it_is(model: Model) -> None:
    law = model.contract.height
    assert law is not None
    side = 8 * law.multiple * max(1, law.minimum // law.multiple)
    picture = np.random.default_rng(0).random((1, 3, side, side + law.multiple), np.float32)
    with Engine(model, workers=1, tile_px=4096) as whole:
        np.testing.assert_array_equal(whole.enlarge(picture[0]), model.run(picture)[0])
