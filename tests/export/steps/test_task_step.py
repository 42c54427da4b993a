from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import nn

from upconv.export.sizes import InputAxis
from upconv.export.steps import ExportDraft, recognise_task
from upconv.runtime.contract import Pixels, SizeLaw


def test_a_model_that_enlarges_pictures_states_how_pixels_go_through(doubler: ExportDraft) -> None:
    source = replace(doubler.source, pixels=Pixels(low=-1), output_pixels=Pixels(high=255))
    draft, report = recognise_task(replace(doubler, source=source))
    assert report is None
    assert (draft.pixels, draft.output_pixels) == (Pixels(low=-1), Pixels(high=255))


def test_without_a_range_of_its_own_the_output_is_read_as_the_input(doubler: ExportDraft) -> None:
    draft, _ = recognise_task(doubler)
    assert draft.output_pixels == draft.pixels == Pixels()


def test_one_channel_is_luma_on_both_sides(captured: Callable[..., ExportDraft]) -> None:
    draft = captured(nn.Upsample(scale_factor=2), shape=(1, 1, 8, 9))
    draft, _ = recognise_task(replace(draft, source=replace(draft.source, output_pixels=Pixels(low=-1))))
    assert (draft.pixels, draft.output_pixels) == (Pixels(color="y"), Pixels(color="y", low=-1))


@pytest.mark.parametrize("law", [None, SizeLaw(scale=1), SizeLaw(scale=1.5, multiple=2), SizeLaw(scale=2, offset=1)])
def test_anything_else_takes_tensors(doubler: ExportDraft, law: SizeLaw | None) -> None:
    draft, _ = recognise_task(replace(doubler, axes=tuple(InputAxis(index, law, free=True) for index in (2, 3))))
    assert draft.pixels is draft.output_pixels is None
