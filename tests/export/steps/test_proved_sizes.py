from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor, nn

from upconv.export import Artifact, to_onnx
from upconv.export.capture.conditions import SizeConditions
from upconv.export.sizes import InputAxis, Shapes, SizeWay
from upconv.export.steps import ExportDraft
from upconv.export.steps.proved_sizes import ProvedSizes, UnequalGraphError, proved_sizes
from upconv.export.steps.trial_sizes import TrialSizes
from upconv.runtime.contract import SizeLaw

Decision = Callable[[Tensor, Tensor], Tensor]


class Deciding(nn.Module):
    """An upscaler whose output is changed by a decision on the input's size."""

    def __init__(self, decision: Decision) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up = nn.ConvTranspose2d(3, 3, 4, 2, 1)
        self.decision = decision

    def forward(self, x: Tensor) -> Tensor:
        return self.decision(x, self.up(x))


def exported(decision: Decision, side: int = 32) -> Artifact:
    return to_onnx(Deciding(decision), torch.rand(1, 3, side, side))


def limits(artifact: Artifact) -> tuple[int | None, int | None, int | None]:
    contract = artifact.contract
    assert contract.height is not None and contract.width is not None
    return contract.height.maximum, contract.width.maximum, contract.max_batch


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (lambda x, y: y * 0.5 if x.shape[2] > 100 else y, (100, None, None)),
        (lambda x, y: y * 0.5 if x.shape[3] >= 77 else y, (None, 76, None)),
        (lambda x, y: y + 1 if x.shape[0] > 4 else y, (None, None, 4)),
        (lambda x, y: y * (x.shape[2] - 60) if x.shape[2] > 60 else y, (60, None, None)),
        (lambda x, y: y, (None, None, None)),
        (lambda x, y: y + 0 if x.shape[2] > 100 else y, (None, None, None)),
    ],
    ids=["height", "width", "batch", "factor", "none", "harmless"],
)
def test_a_decision_on_sizes_limits_the_law(decision: Decision, expected: tuple[int | None, ...]) -> None:
    artifact = exported(decision)
    assert limits(artifact) == expected
    (capture,) = (stage for stage in artifact.stages if stage.name == "capture")
    assert ("test_proved_sizes.py:" in capture.summary) == any(expected)


def test_a_decision_on_the_area_limits_both_sides() -> None:
    def decision(x: Tensor, y: Tensor) -> Tensor:
        return y * 0.5 if x.shape[2] * x.shape[3] > 10_000 else y

    height, width, _ = limits(exported(decision))
    assert height is not None and width is not None
    assert height * width <= 10_000
    assert (height + 2) * (width + 2) > 10_000


def test_a_decision_on_small_sizes_raises_the_minimum() -> None:
    law = exported(lambda x, y: y * 0.5 if x.shape[2] < 20 else y).contract.height
    assert law is not None
    assert law.minimum == 20


def test_the_graph_equals_the_module_up_to_the_limit() -> None:
    def decision(x: Tensor, y: Tensor) -> Tensor:
        return y * 0.5 if x.shape[2] > 100 else y

    artifact = exported(decision)
    session = ort.InferenceSession(artifact.model.SerializeToString(), providers=["CPUExecutionProvider"])
    for height, same in ((100, True), (101, False)):
        x = torch.rand(1, 3, height, 40)
        expected = Deciding(decision)(x).detach().numpy()
        assert (np.abs(session.run(None, {"image": x.numpy()})[0] - expected).max() < 1e-5) == same


def test_an_axis_without_a_law_cannot_be_limited() -> None:
    axis = InputAxis(2, None, free=True)
    with pytest.raises(UnequalGraphError, match=r"not the same function for height beyond 39, by m\.py:7; write"):
        ProvedSizes((axis,)).limit(SizeWay((axis,), ((1, 3, 32, 32),), 1, 9), 8, "m.py:7")


def test_two_limits_keep_the_smaller_one(doubler: ExportDraft) -> None:
    axis = InputAxis(2, SizeLaw(scale=2), free=True)
    proved = ProvedSizes((axis,))
    for steps in (9, 5, 7):
        proved.limit(SizeWay((axis,), ((1, 3, 32, 32),), 1, 9), steps)
        proved.limit(SizeWay((), ((1, 3, 32, 32),), 1, 9), steps)
    assert proved.axes[0].law is not None
    assert (proved.axes[0].law.maximum, proved.max_batch) == (36, 5)


class DiffersWhenShort(TrialSizes):
    """Trials of a graph that differs for heights below `least`, whatever the conditions say, and for small areas."""

    least = 6
    area = 0

    def agrees(self, shapes: Shapes) -> bool:
        return shapes[0][2] >= self.least and shapes[0][2] * shapes[0][3] >= self.area


@pytest.mark.parametrize(
    ("least", "area", "minima"), [(1, 0, (1, 1)), (6, 0, (6, 1)), (16, 0, (16, 1)), (1, 200, (16, 16))], ids=str
)
def test_a_law_begins_where_the_graph_agrees(
    least: int, area: int, minima: tuple[int, int], captured: Callable[..., ExportDraft]
) -> None:
    draft = captured(nn.Upsample(scale_factor=2), shape=(1, 3, 16, 16))
    assert draft.model is not None and draft.axes is not None
    trial = DiffersWhenShort(draft.source, draft.model)
    trial.least, trial.area = least, area
    proved = proved_sizes(trial, draft.axes, SizeConditions(), free_batch=False)
    assert tuple(axis.law.minimum for axis in proved.axes if axis.law) == minima
    said = "; ".join(proved.notes)
    assert ("below" in said) == (minima != (1, 1)), said
