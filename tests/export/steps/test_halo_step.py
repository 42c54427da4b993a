from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from torch import Tensor, nn

from upconv.export.sizes import InputAxis
from upconv.export.steps import ExportDraft, derive_halo
from upconv.runtime.contract import Halo, NoHalo, SizeLaw

STATED = Halo(top=5, bottom=5, left=5, right=5)


class LooksEverywhere(nn.Module):
    """A module that adds the mean of the whole picture."""

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.interpolate(image.mean((2, 3), keepdim=True) + image, scale_factor=2.0)


class TwoInputs(nn.Module):
    """A module with two pictures as inputs."""

    def forward(self, image: Tensor, other: Tensor) -> Tensor:
        return nn.functional.interpolate(image + other, scale_factor=2.0)


@pytest.fixture(scope="module")
def everywhere(captured: Callable[..., ExportDraft]) -> ExportDraft:
    return captured(LooksEverywhere())


@pytest.mark.parametrize("budget", [1e11, 1.0])
def test_the_halo_is_that_of_the_operators(doubler: ExportDraft, budget: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.export.halo.probing.BUDGET", budget)
    draft, report = derive_halo(doubler)
    assert draft.halo == Halo(top=2, bottom=2, left=2, right=2)
    assert (report.name, report.changed) == ("halo", False)
    assert report.summary == "2 above, 2 below, 2 left, 2 right, in input pixels"


def test_it_is_read_from_the_plain_graph_and_not_from_the_rewritten_one(doubler: ExportDraft, everywhere: ExportDraft) -> None:
    draft, _ = derive_halo(replace(doubler, model=everywhere.model))
    assert isinstance(draft.halo, Halo)


def test_a_graph_that_looks_everywhere_has_none_unless_its_file_states_one(everywhere: ExportDraft) -> None:
    draft, report = derive_halo(everywhere)
    assert isinstance(draft.halo, NoHalo)
    assert report.summary.startswith("none finite: ")
    draft, report = derive_halo(replace(everywhere, source=replace(everywhere.source, halo=STATED)))
    assert draft.halo == STATED
    assert report.summary.endswith("as the file states; the tiling step checks it")


def test_a_pixel_that_changes_outputs_outside_the_receptive_field_takes_the_halo_back(
    doubler: ExportDraft, everywhere: ExportDraft, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upconv.export.halo.derivation import derive

    assert doubler.plain is not None
    claimed = derive(doubler.plain)
    monkeypatch.setattr("upconv.export.steps.halo_step.derivation.derive", lambda _: claimed)
    draft, report = derive_halo(everywhere)
    assert isinstance(draft.halo, NoHalo)
    assert "outside its receptive field" in report.summary


def test_without_size_laws_there_is_nothing_to_cut(doubler: ExportDraft) -> None:
    axes = (InputAxis(2, None, free=False), InputAxis(3, SizeLaw(scale=2), free=True))
    draft, report = derive_halo(replace(doubler, axes=axes))
    assert draft.halo is None
    assert report.summary == "none: the output's size does not follow a picture's height and width"


def test_several_inputs_are_not_cut(doubler: ExportDraft) -> None:
    from upconv.export.sources import from_module

    source = from_module(TwoInputs(), example=doubler.source.example * 2)
    model = source.original.capture("m", source.example, (), 18)
    draft, report = derive_halo(replace(doubler, source=source, plain=model))
    assert draft.halo is None
    assert report.summary == "none: the model has several inputs, and tiling needs a single one"
