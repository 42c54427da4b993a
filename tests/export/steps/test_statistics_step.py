from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import upconv
from upconv.export import tune
from upconv.export.backends import Array
from upconv.export.steps.statistics_step import MAX_COST
from upconv.export.tuner import Candidate, Tuner
from upconv.runtime.contract import Context, Halo, NoHalo, TuningTrial
from upconv.runtime.engine import Engine
from upconv.runtime.session import open_model


class Excited(nn.Module):
    """An upscaler whose features are weighed by their mean over the picture, `levels` times."""

    def __init__(self, levels: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=padding)
        self.convs = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=padding) for _ in range(levels))
        self.squeezes = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(levels))
        self.last = nn.Conv2d(8, 12, 3, padding=padding)

    def forward(self, image: Tensor) -> Tensor:
        features = self.first(image)
        for conv, squeeze in zip(self.convs, self.squeezes, strict=True):
            features = F.relu(conv(features))
            features = features * torch.sigmoid(squeeze(features.mean((2, 3), keepdim=True)))
        return F.pixel_shuffle(self.last(features), 2)


class Pooled(Excited):
    """The same with the largest value instead of the mean."""

    def forward(self, image: Tensor) -> Tensor:
        features = self.convs[0](self.first(image))
        return F.pixel_shuffle(self.last(features * features.amax((2, 3), keepdim=True)), 2)


@pytest.mark.parametrize("padding", [1, 0])
def test_squeeze_and_excitation_is_tiled(tmp_path: Path, padding: int) -> None:
    """Without padding, the model also has a context, which the statistics cover like the rest of the picture."""
    torch.manual_seed(0)
    module = Excited(2, padding).eval()
    contract = upconv.to_onnx(module, shape=(1, 3, 32, 32), out=tmp_path / "model.onnx").contract
    assert [(s.level, s.channels, s.scale) for s in contract.statistics] == [(0, 8, 1), (1, 8, 1)]
    assert contract.halo == Halo(top=4, bottom=4, left=4, right=4)
    assert contract.context == (None if padding else Context(top=4, bottom=4, left=4, right=4))
    picture = np.random.default_rng(0).random((3, 61, 90), np.float32) * np.linspace(0, 1, 90, dtype=np.float32)
    with Engine(open_model(tmp_path / "model.onnx"), tile_px=32) as engine:
        assert len(engine.plan(61, 90).tiles) > 1
        tiled = engine.enlarge(picture)
    padded = torch.from_numpy(np.pad(picture, ((0, 0), *[(0 if padding else 4,) * 2] * 2), "edge"))[None]
    with torch.no_grad():
        np.testing.assert_allclose(tiled, module(padded)[0].numpy(), atol=1e-5)


def test_too_many_passes_are_not_worth_it() -> None:
    """Each level computes everything before it again."""
    torch.manual_seed(0)
    contract = upconv.to_onnx(Excited(10).eval(), shape=(1, 3, 32, 32)).contract
    assert isinstance(contract.halo, NoHalo)
    assert f"more than {MAX_COST:g}" in contract.halo.reason
    assert not contract.statistics


def test_a_maximum_over_the_picture_is_not_a_mean() -> None:
    torch.manual_seed(0)
    contract = upconv.to_onnx(Pooled().eval(), shape=(1, 3, 32, 32)).contract
    assert isinstance(contract.halo, NoHalo)
    assert not contract.statistics


class UnmeasuredTuner(Tuner):
    """A tuner that measures nothing and keeps every change."""

    def compare(self, name: str, before: Candidate, after: Candidate, inputs: Sequence[Array]) -> TuningTrial:
        return TuningTrial(name=name, speed=2, low=2, high=2, kept=True)


def test_tuning_and_a_second_export_keep_statistics_context_and_fill(tmp_path: Path) -> None:
    """The names of tensors may change, so the statistics name those of the new graph."""
    torch.manual_seed(0)
    path = tmp_path / "model.onnx"
    module = Excited(2, padding=0).eval()
    before = upconv.to_onnx(module, shape=(1, 3, 32, 32), out=path, fill="reflect").contract
    assert before.context == Context(top=4, bottom=4, left=4, right=4, fill="reflect")
    assert len(before.statistics) == 2
    tuned = tune(path, tuner=UnmeasuredTuner())
    for artifact in (tuned, upconv.to_onnx(path)):
        after = artifact.contract
        for name in ("height", "width", "context", "crop", "halo"):
            assert getattr(after, name) == getattr(before, name)
        assert [(s.level, s.channels, s.scale) for s in after.statistics] == [
            (s.level, s.channels, s.scale) for s in before.statistics
        ]
        produced = {output for node in artifact.model.graph.node for output in node.output}
        assert {name for s in after.statistics for name in (s.features, s.mean)} <= produced
        assert after.evidence.tiling_max_abs is not None
