from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from upconv.export import export, from_module, pipeline
from upconv.export.simplify import Simplify
from upconv.export.stage import Stage, StageResult
from upconv.runtime import Upscaler
from upconv.runtime.contract import Halo, NoHalo, Pixels
from upconv.runtime.errors import ExportError
from upconv.runtime.session import open_model


class Spoil:
    """A stage that changes a weight."""

    name = "spoil"

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        spoiled = onnx.ModelProto()
        spoiled.CopyFrom(model)
        tensor = spoiled.graph.initializer[0]
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * 1.01, tensor.name))
        return StageResult(spoiled, True, "scaled a weight")


class Freeze:
    """A stage that fixes the input's size."""

    name = "freeze"

    def __call__(self, model: onnx.ModelProto) -> StageResult:
        frozen = onnx.ModelProto()
        frozen.CopyFrom(model)
        for dim in frozen.graph.input[0].type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_value = 32
        return StageResult(frozen, True, "froze the size")


class Branching(nn.Module):
    """Control flow that depends on the data."""

    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if image.sum() > 0 else image


class Blank(nn.Module):
    """No number comes out."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 0


class UNet(nn.Module):
    """Two levels with skip connections, for multiples of four."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 8, 3, padding=1)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(8, 4, 2, stride=2), nn.ConvTranspose2d(8, 3, 2, stride=2)])
        self.last = nn.ConvTranspose2d(6, 3, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        half = self.down[0](image)
        quarter = self.down[1](F.max_pool2d(half, 2))
        whole = self.up[1](torch.cat([self.up[0](quarter), half], dim=1))
        result: Tensor = self.last(torch.cat([whole, image], dim=1))
        return result


class Distorted(nn.Module):
    """Float32 cannot compute this."""

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate((image + 3e7) - 3e7, scale_factor=2.0)


@pytest.fixture
def doubler() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, stride=2))


def test_the_file_says_everything_that_serving_needs(doubler: nn.Module, tmp_path: Path) -> None:
    export(from_module(doubler, name="doubler", licence="MIT"), out=tmp_path / "d.onnx")
    contract = open_model(tmp_path / "d.onnx").contract
    assert contract.task == "upscale"
    assert contract.scale == 2
    assert contract.halo is not None
    assert contract.opset == 18
    assert contract.provenance.licence == "MIT"
    assert {p.level for p in contract.evidence.parity} == {"disabled", "all"}
    assert len(contract.evidence.parity[0].shapes) >= 4
    assert contract.evidence.tiling_max_abs is not None
    assert contract.evidence.tiling_max_abs <= 1e-6


def test_the_bytes_are_the_same_each_time_and_name_no_machine(doubler: nn.Module, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(from_module(doubler, name="doubler"), out=tmp_path / f"{name}.onnx")
    data = (tmp_path / "a.onnx").read_bytes()
    assert data == (tmp_path / "b.onnx").read_bytes()
    assert str(Path(__file__).parent).encode() not in data
    assert b".py" not in data


@pytest.mark.parametrize("stage", [Spoil(), Freeze()])
def test_a_stage_that_breaks_the_model_is_rolled_back(
    stage: Stage, doubler: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "STAGES", (stage,))
    artifact = export(from_module(doubler, name="doubler"), out=tmp_path / "d.onnx")
    report = next(s for s in artifact.stages if s.name == stage.name)
    assert not report.changed
    assert report.summary.startswith("rolled back")
    assert artifact.contract.height is not None


def test_a_simplifier_that_fails_leaves_the_model_as_it_was(doubler: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.export.simplify.sys.executable", "/bin/false")
    model = onnx.ModelProto()
    result = Simplify()(model)
    assert result.model is model
    assert not result.changed
    assert result.summary.startswith("declined: onnxsim ended with code")


@pytest.mark.parametrize(
    ("module", "shape", "sentence"),
    [
        (Branching(), (1, 3, 8, 8), "torch cannot trace"),
        (Blank(), (1, 3, 8, 8), "no finite numbers"),
        (Distorted(), (1, 3, 8, 8), "float32 is not enough"),
        (nn.Conv2d(3, 3, 1), (1, 4, 8, 8), "refuses an input of shape"),
    ],
)
def test_what_cannot_be_exported_writes_nothing(
    module: nn.Module, shape: tuple[int, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=sentence):
        export(from_module(module, name="m", shape=shape), out=tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_u_net_is_exported_with_its_multiple_and_tiles_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    contract = export(from_module(UNet(), name="unet"), out=tmp_path / "u.onnx").contract
    assert contract.height is not None
    assert (contract.height.scale, contract.height.multiple) == (2, 4)
    assert isinstance(contract.halo, Halo)
    assert contract.evidence.tiling_max_abs is not None
    assert contract.evidence.tiling_max_abs <= 1e-6


def test_what_wraps_around_the_image_is_not_tiled(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1, padding_mode="circular"), nn.PixelShuffle(2))
    contract = export(from_module(module, name="round"), out=tmp_path / "r.onnx").contract
    assert isinstance(contract.halo, NoHalo)
    assert "opposite side" in contract.halo.reason


def test_a_luma_model_with_a_range_of_its_own_keeps_colour(tmp_path: Path) -> None:
    class Double(nn.Module):
        def forward(self, luma: Tensor) -> Tensor:
            return F.interpolate(luma, scale_factor=2.0) * 2 - 1

    source = from_module(Double(), name="luma", shape=(1, 1, 16, 16), output_pixels=Pixels(low=-1))
    export(source, out=tmp_path / "y.onnx")
    colored = np.zeros((20, 30, 3), np.uint8)
    colored[...] = (200, 90, 30)
    with Upscaler(tmp_path / "y.onnx") as upscaler:
        enlarged = upscaler.upscale(colored)
    assert enlarged.shape == (40, 60, 3)
    assert np.abs(enlarged.astype(int) - (200, 90, 30)).max() <= 1


def test_the_report_says_what_runs_fused_and_what_deserves_a_look(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.PReLU(16), nn.ConvTranspose2d(16, 3, 3, stride=2, padding=1, output_padding=1)
    )
    report = export(from_module(layers, name="uneven"), out=tmp_path / "u.onnx").as_dict()
    assert [finding["rule"] for finding in report["findings"]] == ["uneven-overlap", "unfused-activation"]
    assert report["fusion"]["convolutions"] == 2
