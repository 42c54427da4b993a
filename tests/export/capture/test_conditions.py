from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from upconv.export import from_module
from upconv.export.capture.conditions import SizeConditions, conditions_of_trace, recorded_conditions
from upconv.export.sizes import InputAxis
from upconv.runtime.contract import SizeLaw


class Deciding(nn.Module):
    """A function that decides by the size or the batch."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2)
        self.what = what

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(x)
        if self.what == "height" and x.shape[2] > 100:
            return y * 0.5
        if self.what == "area" and x.shape[2] * x.shape[3] >= 5000:
            return y * 0.5
        if self.what == "batch" and not x.shape[0] < 5:
            return y + 1
        return y


def recorded(what: str, multiple: int = 1) -> SizeConditions:
    source = from_module(Deciding(what), shape=(1, 3, 32, 32))
    law = SizeLaw(scale=2, multiple=multiple)
    with recorded_conditions() as conditions:
        source.original.capture("m", source.example, [InputAxis(index, law, free=True) for index in (2, 3)], 18)
    return conditions


@pytest.mark.parametrize("multiple", [1, 4])
@pytest.mark.parametrize(
    ("what", "inside", "outside"),
    [
        ("height", (1, 3, 100, 400), (1, 3, 104, 32)),
        ("area", (1, 3, 48, 104), (1, 3, 48, 108)),
        ("batch", (4, 3, 32, 32), (5, 3, 32, 32)),
    ],
)
def test_a_condition_holds_up_to_its_limit(what: str, inside: tuple[int, ...], outside: tuple[int, ...], multiple: int) -> None:
    conditions = recorded(what, multiple)
    assert conditions.broken((inside,)) is None
    broken = conditions.broken((outside,))
    assert broken is not None
    assert broken.line.startswith("test_conditions.py:")
    assert conditions.broken((outside,), [broken]) in (None, *conditions.conditions)


def test_without_a_decision_everything_holds() -> None:
    assert recorded("nothing").broken(((7, 3, 5000, 1),)) is None


def test_the_last_trace_counts_and_torch_is_left_as_it_was() -> None:
    before = torch.fx.experimental.symbolic_shapes.ShapeEnv._log_guard
    with recorded_conditions() as conditions:
        for what in ("height", "nothing"):
            source = from_module(Deciding(what), shape=(1, 3, 32, 32))
            axes = [InputAxis(index, SizeLaw(scale=2), free=True) for index in (2, 3)]
            source.original.capture("m", source.example, axes, 18)
    assert conditions.broken(((1, 3, 500, 32),)) is None
    assert torch.fx.experimental.symbolic_shapes.ShapeEnv._log_guard is before


def test_outside_of_a_recording_nothing_is_kept() -> None:
    with conditions_of_trace() as first:
        pass
    with conditions_of_trace() as second:
        assert second is not first
