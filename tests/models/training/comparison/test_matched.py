from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from upconv.models.training.comparison import CANDIDATES, ComparisonPlan, DecoderComparison, compare, matched, pictures
from upconv.models.training.comparison.matched import Curve, first_reached, to_equal
from upconv.models.training.config import TrainingConfig
from upconv.runtime.errors import ParameterError


@pytest.mark.parametrize(("target", "step"), [(0.5, 10.0), (1.0, 10.0), (2.0, 15.0), (3.0, 20.0), (4.0, None)])
def test_the_first_step_to_reach_a_value(target: float, step: float | None) -> None:
    assert first_reached([10, 20, 30], [1, 3, 2], target) == step


def test_equal_is_the_end_of_the_worst_curve() -> None:
    curves = [Curve((1, 2), (0.4, 0.1), (20, 30)), Curve((1, 2), (0.4, 0.3), (20, 24))]
    assert to_equal(curves, 1) == matched.Reached(2.0, 2.0)
    assert to_equal(curves, 0).psnr_y == pytest.approx(1.4)
    assert to_equal(curves, 0).loss == pytest.approx(1.333, abs=1e-3)


@pytest.mark.slow
def test_a_comparison_can_be_resumed(
    tiny: TrainingConfig, comparison: DecoderComparison, folders: tuple[Path, Path], work: Path
) -> None:
    def averaged() -> dict[str, torch.Tensor]:
        weights: dict[str, torch.Tensor] = torch.load(work / "upsample" / "checkpoint.pt", weights_only=True)["average"]
        return weights

    before = averaged()
    again = matched.train(CANDIDATES[0], tiny, pictures(tiny, *folders), work)
    assert again.curve == comparison.results[0].curve
    for name, tensor in before.items():
        assert torch.equal(tensor, averaged()[name])
        assert torch.equal(tensor, again.decoder.state_dict()[name])


@pytest.mark.slow
def test_another_comparison_is_not_mixed_in(
    tiny: TrainingConfig, comparison: DecoderComparison, folders: tuple[Path, Path], work: Path
) -> None:
    other: TrainingConfig = replace(tiny, steps=7)
    with pytest.raises(ParameterError, match="other settings or pictures"):
        compare(ComparisonPlan(other), pictures(other, *folders), work)
