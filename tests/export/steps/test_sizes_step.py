from __future__ import annotations

import pytest
from torch import nn

from upconv.export.sources import from_module
from upconv.export.steps import ExportDraft, find_sizes
from upconv.runtime.contract import SizeLaw
from upconv.runtime.errors import ExportError


def test_the_law_along_each_axis_is_added_and_said() -> None:
    draft, report = find_sizes(ExportDraft(from_module(nn.Upsample(scale_factor=(2, 3)))))
    assert draft.laws == (SizeLaw(scale=2), SizeLaw(scale=3))
    assert (report.name, report.changed) == ("sizes", False)
    assert report.summary == (
        "height: output = 2 x input, multiple 1, minimum 1; width: output = 3 x input, multiple 1, minimum 1"
    )


def test_a_source_without_sizes_says_what_it_makes() -> None:
    draft, report = find_sizes(ExportDraft(from_module(nn.Linear(7, 3))))
    assert draft.axes == ()
    assert draft.laws == (None, None)
    assert report.summary == "(1, 7) to (1, 3)"


def test_an_axis_that_the_output_does_not_follow_is_said() -> None:
    draft, report = find_sizes(ExportDraft(from_module(nn.AdaptiveAvgPool2d((1, 1)))))
    assert draft.axes is not None
    assert [axis.free for axis in draft.axes] == [True, True]
    assert "height: any size, without a law of the output size" in report.summary


def test_an_example_that_is_refused_ends_the_export() -> None:
    with pytest.raises(ExportError, match=r"refuses an input of shape \(1, 4, 8, 8\): RuntimeError: Given groups=1, .*--shape"):
        find_sizes(ExportDraft(from_module(nn.Conv2d(3, 3, 1), shape=(1, 4, 8, 8))))
