from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from upconv.export import Artifact, from_module, to_onnx
from upconv.export.halo.derivation import products_per_pixel
from upconv.export.halo.deviation import HALOS_PX, photograph
from upconv.runtime.contract import Contract, Pixels, Provenance
from upconv.runtime.session import open_model

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


@pytest.mark.parametrize(("pixels", "shape"), [(Pixels(low=-1), (1, 3, 192, 192)), (Pixels(color="y"), (1, 1, 192, 192))])
def test_the_photograph_comes_as_the_model_takes_it(pixels: Pixels, shape: tuple[int, ...]) -> None:
    contract = Contract(name="a", task="upscale", input=pixels, opset=18, provenance=Provenance(source="a test"))
    picture = photograph(contract)
    assert picture.shape == shape
    assert pixels.low <= picture.min() < picture.max() <= pixels.high
    assert picture.std() > 0.1  # something is in it


def test_products_are_counted_at_the_size_that_each_layer_works_at() -> None:
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ConvTranspose2d(4, 5, 2, stride=2), nn.Conv2d(5, 6, 1), nn.Conv2d(6, 1, 2, stride=2)
    )
    source = from_module(layers, name="m")
    model = source.original.capture("m", source.example, [], 18)
    assert products_per_pixel(model) == 3 * 4 * 9 + 4 * 5 * 4 + 4 * 5 * 6 + 6 * 4


def test_the_halos_that_are_tried() -> None:
    assert HALOS_PX == (10, 16, 24, 32, 48, 64, 96)
