from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from upconv.export.precision import PrecisionOptions
from upconv.export.steps import ExportDraft, ExportOptions, reduce_precision
from upconv.export.tuner import Tuner
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import ExportError

TILE = (np.zeros((1, 3, 8, 8), np.float32),)
IMPOSSIBLE = PrecisionOptions("int8", limit_db=-1)


def asked(draft: ExportDraft, reduction: PrecisionOptions, tuner: Tuner | None = None) -> ExportDraft:
    return replace(draft, options=ExportOptions(reduction=reduction, tuner=tuner), tile=TILE)


def kinds(draft: ExportDraft) -> set[str]:
    assert draft.model is not None
    return {node.op_type for node in draft.model.graph.node}


def test_float32_is_left_as_it_is(upscaler: ExportDraft) -> None:
    assert reduce_precision(upscaler) == (upscaler, None)


def test_float16_comes_with_what_it_costs(upscaler: ExportDraft) -> None:
    draft, report = reduce_precision(asked(upscaler, PrecisionOptions("fp16")))
    assert draft.precision == "fp16"
    assert draft.quality is not None and draft.quality.psnr_db > 60
    assert report is not None
    assert (report.name, report.changed, report.summary) == ("fp16", True, str(draft.quality))


def test_a_gate_that_is_not_passed_ends_the_export(upscaler: ExportDraft) -> None:
    with pytest.raises(ExportError, match="does not pass the limit"):
        reduce_precision(asked(upscaler, IMPOSSIBLE))


def test_unless_float32_is_allowed_then(upscaler: ExportDraft) -> None:
    draft, report = reduce_precision(asked(upscaler, replace(IMPOSSIBLE, only_if_faster=True)))
    assert (draft.precision, draft.model, draft.quality) == ("fp32", upscaler.model, None)
    assert report is not None
    assert (report.name, report.changed) == ("int8", False)
    assert "does not pass the limit" in report.summary


@pytest.mark.parametrize(
    ("only_if_faster", "faster", "precision"), [(True, "int8", "int8"), (True, "", "fp32"), (False, "", "int8")]
)
def test_a_tuner_decides_only_if_it_may(
    upscaler: ExportDraft, decided: Callable[..., Tuner], only_if_faster: bool, faster: str, precision: str
) -> None:
    reduction = PrecisionOptions("int8", limit_db=99, only_if_faster=only_if_faster)
    draft, report = reduce_precision(asked(upscaler, reduction, decided(faster)))
    assert draft.precision == precision
    assert [trial.name for trial in draft.trials] == ["int8"]
    assert report is not None
    assert report.changed is (precision == "int8")


@pytest.mark.parametrize("tuned", [True, False])
def test_a_transposed_convolution_is_reduced_in_phases_that_a_tuner_declined(
    captured: Callable[..., ExportDraft], decided: Callable[..., Tuner], tuned: bool
) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1))
    draft = replace(captured(layers), pixels=Pixels(), output_pixels=Pixels())
    tuner = decided("int8") if tuned else None
    draft, _ = reduce_precision(asked(draft, PrecisionOptions("int8", limit_db=99), tuner))
    assert draft.precision == "int8"
    assert ("ConvTranspose" in kinds(draft)) is not tuned
    assert draft.rewrites == ()


def test_the_example_calibrates_a_model_that_takes_no_pictures(doubler: ExportDraft) -> None:
    wide = (5 * np.random.default_rng(0).standard_normal((1, 3, 8, 9)).astype(np.float32),)
    source = replace(doubler.source, example=wide)
    draft, _ = reduce_precision(asked(replace(doubler, source=source), PrecisionOptions("fp16")))
    plain, _ = reduce_precision(asked(doubler, PrecisionOptions("fp16")))
    assert draft.quality is not None and plain.quality is not None
    assert draft.quality.samples == plain.quality.samples + 1
