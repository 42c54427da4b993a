from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import nn

from upconv.export.sizes import InputAxis
from upconv.export.steps import ExportDraft, recognise_task
from upconv.runtime.contract import Context, Crop, Halo, Pixels, SizeLaw


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


@pytest.mark.parametrize("law", [None, SizeLaw(scale=0.5, multiple=2), SizeLaw(scale=1.5, multiple=2)])
def test_anything_else_takes_tensors(doubler: ExportDraft, law: SizeLaw | None) -> None:
    draft, _ = recognise_task(replace(doubler, axes=tuple(InputAxis(index, law, free=True) for index in (2, 3))))
    assert draft.pixels is draft.output_pixels is None


VALID = SizeLaw(scale=2, offset=-8, minimum=5)


def test_a_model_of_valid_convolutions_states_its_context(captured: Callable[..., ExportDraft]) -> None:
    layers = (nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 12, 1), nn.PixelShuffle(2))
    draft = captured(nn.Sequential(*layers), law=VALID)
    draft, report = recognise_task(replace(draft, halo=Halo(top=0, bottom=4, left=0, right=4)))
    around = dict.fromkeys(("top", "bottom", "left", "right"), 2)
    assert (draft.pixels, draft.context, draft.crop) == (Pixels(), Context(**around), None)
    assert draft.halo == Halo(**around)
    assert report is not None
    assert report.summary.startswith("upscale, with a context of ")


def test_a_transposed_convolution_without_padding_states_its_crop(captured: Callable[..., ExportDraft]) -> None:
    draft = captured(nn.ConvTranspose2d(3, 3, 4, 2), law=SizeLaw(scale=2, offset=2))
    draft, _ = recognise_task(draft)
    assert (draft.context, draft.crop) == (None, Crop(top=1, bottom=1, left=1, right=1))


def test_the_fill_of_the_source_reaches_the_context(captured: Callable[..., ExportDraft]) -> None:
    draft = captured(nn.Sequential(nn.Conv2d(3, 12, 5), nn.PixelShuffle(2)), law=VALID)
    draft, _ = recognise_task(replace(draft, source=replace(draft.source, fill="reflect")))
    assert draft.context is not None
    assert draft.context.fill == "reflect"
