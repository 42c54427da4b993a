from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export import from_module, to_onnx, tune
from upconv.export.backends import Array
from upconv.export.precision import PrecisionOptions
from upconv.export.rewrite import RULES
from upconv.export.tuner import WISHES, Candidate, Tuner
from upconv.runtime import Upscaler
from upconv.runtime.contract import Halo, NoHalo, Pixels, TuningTrial
from upconv.runtime.errors import ExportError
from upconv.runtime.session import open_model


class Branching(nn.Module):
    """A module whose control flow depends on the data."""

    def forward(self, image: Tensor) -> Tensor:
        return image * 2 if image.sum() > 0 else image


class Blank(nn.Module):
    """A module that outputs no finite number."""

    def forward(self, image: Tensor) -> Tensor:
        return image / 0


class UNet(nn.Module):
    """A network of two levels with skip connections, for multiples of four."""

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
    """A function that float32 cannot compute."""

    def forward(self, image: Tensor) -> Tensor:
        return F.interpolate((image + 3e7) - 3e7, scale_factor=2.0)


@pytest.fixture
def doubler() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(4, 3, 2, stride=2))


def test_the_file_says_everything_that_serving_needs(doubler: nn.Module, tmp_path: Path) -> None:
    to_onnx(from_module(doubler, name="doubler", licence="MIT"), out=tmp_path / "d.onnx")
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
        to_onnx(from_module(doubler, name="doubler"), out=tmp_path / f"{name}.onnx")
    data = (tmp_path / "a.onnx").read_bytes()
    assert data == (tmp_path / "b.onnx").read_bytes()
    assert str(Path(__file__).parent).encode() not in data
    assert b".py" not in data


@pytest.mark.parametrize(
    ("module", "shape", "sentence"),
    [
        (Branching(), (1, 3, 8, 8), "torch cannot trace"),
        (Blank(), (1, 3, 8, 8), "not finite numbers"),
        (Distorted(), (1, 3, 8, 8), "float32 is too imprecise"),
        (nn.Conv2d(3, 3, 1), (1, 4, 8, 8), "refuses an input of shape"),
    ],
)
def test_what_cannot_be_exported_writes_nothing(
    module: nn.Module, shape: tuple[int, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ExportError, match=sentence):
        to_onnx(from_module(module, name="m", shape=shape), out=tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_u_net_is_exported_with_its_multiple_and_tiles_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    contract = to_onnx(from_module(UNet(), name="unet"), out=tmp_path / "u.onnx").contract
    assert contract.height is not None
    assert (contract.height.scale, contract.height.multiple) == (2, 4)
    assert isinstance(contract.halo, Halo)
    assert contract.evidence.tiling_max_abs is not None
    assert contract.evidence.tiling_max_abs <= 1e-6


def test_what_wraps_around_the_image_is_not_tiled(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1, padding_mode="circular"), nn.PixelShuffle(2))
    contract = to_onnx(from_module(module, name="round"), out=tmp_path / "r.onnx").contract
    assert isinstance(contract.halo, NoHalo)
    assert "opposite side" in contract.halo.reason


def test_a_luma_model_with_a_range_of_its_own_keeps_colour(tmp_path: Path) -> None:
    class Double(nn.Module):
        def forward(self, luma: Tensor) -> Tensor:
            return F.interpolate(luma, scale_factor=2.0) * 2 - 1

    source = from_module(Double(), name="luma", shape=(1, 1, 16, 16), output_pixels=Pixels(low=-1))
    to_onnx(source, out=tmp_path / "y.onnx")
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
    report = to_onnx(from_module(layers, name="uneven"), out=tmp_path / "u.onnx").as_dict()
    assert [finding["rule"] for finding in report["findings"]] == ["random-weights", "uneven-overlap", "unfused-activation"]
    assert report["fusion"]["convolutions"] == 2


INT8 = PrecisionOptions("int8", limit_db=99, only_if_faster=True)


class DecidedTuner(Tuner):
    """A tuner that measures nothing and keeps every change."""

    def compare(self, name: str, before: Candidate, after: Candidate, inputs: Sequence[Array]) -> TuningTrial:
        return TuningTrial(name=name, speed=2, low=2, high=2, kept=True)


@pytest.fixture(scope="module")
def far() -> nn.Module:
    """Return an upscaler of an older opset whose exact halo is too large to use."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 3, padding=70, dilation=70)
    conv.weight.data /= 10
    return nn.Sequential(conv, nn.Upsample(scale_factor=2), nn.Conv2d(3, 3, 3, padding=1))


def test_the_steps_of_an_export_come_in_order_and_all_reach_the_contract(far: nn.Module, tmp_path: Path) -> None:
    seen: list[str] = []
    artifact = to_onnx(
        from_module(far, name="far"),
        out=tmp_path / "far.onnx",
        opset=19,
        rewrites=tuple(rule for rule in RULES if rule.name == "nearest_conv_to_phases"),
        reduction=INT8,
        tuner=DecidedTuner(),
        on_stage=lambda report: seen.append(report.name),
    )
    assert [report.name for report in artifact.stages] == seen
    assert seen == [
        *("sizes", "capture", "opset", "simplify", "halo", "nearest_conv_to_phases"),
        *("parity", "int8", "tune", "tiling", "deviation", "lint"),
    ]
    contract = open_model(tmp_path / "far.onnx").contract
    assert contract == artifact.contract
    assert (contract.task, contract.precision, contract.opset) == ("upscale", "int8", 19)
    assert contract.halo == Halo(top=71, bottom=71, left=71, right=71)
    assert contract.rewrites == ("nearest_conv_to_phases",)
    assert contract.tuning is not None
    assert [trial.name for trial in contract.tuning.trials] == ["nearest_conv_to_phases", "int8", *WISHES]
    assert contract.evidence.quality is not None
    assert contract.evidence.tiling_max_abs is not None
    assert [row.halo_px for row in contract.halo_deviation] == [10, 16, 24, 32, 48, 64]


def test_the_steps_of_tuning_come_in_order_and_keep_what_the_file_states(far: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "far.onnx"
    source = from_module(far, name="far", licence="MIT", output_pixels=Pixels(low=-1))
    before = to_onnx(source, out=path, rewrites=()).contract
    artifact = tune(path, tuner=DecidedTuner(), reduction=INT8)
    names = [report.name for report in artifact.stages]
    assert names[-6:] == ["parity", "int8", "tune", "tiling", "deviation", "lint"]
    assert "nearest_conv_to_phases" in names[:-6]
    after = artifact.contract
    for name in ("name", "task", "height", "width", "halo", "input", "output", "opset", "provenance"):
        assert getattr(after, name) == getattr(before, name)
    assert (before.precision, after.precision) == ("fp32", "int8")
    assert after.tuning is not None
    assert [trial.name for trial in after.tuning.trials][-4:] == ["int8", *WISHES]
    assert len(after.evidence.parity) == 2
    assert after.evidence.tiling_max_abs is not None
    assert len(after.halo_deviation) == len(before.halo_deviation) == 6


def test_a_module_for_lines_is_exported_although_it_cannot_be_tiled(tmp_path: Path) -> None:
    layers = nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.Upsample(scale_factor=2))
    contract = to_onnx(layers, out=tmp_path / "l.onnx").contract
    assert (contract.task, contract.height, contract.halo) == ("decode", None, None)
