from __future__ import annotations

from dataclasses import replace

import pytest

from upconv.export.sizes import InputAxis
from upconv.export.steps import ExportDraft
from upconv.export.steps.draft import needed
from upconv.runtime.contract import SizeLaw

HEIGHT, WIDTH = (InputAxis(index, SizeLaw(scale=index), free=True) for index in (2, 3))


def test_a_draft_with_two_axes_has_their_laws(doubler: ExportDraft) -> None:
    assert replace(doubler, axes=(HEIGHT, WIDTH)).laws == (HEIGHT.law, WIDTH.law)


@pytest.mark.parametrize("axes", [(), (HEIGHT,), (HEIGHT, WIDTH, HEIGHT)])
def test_any_other_number_of_axes_gives_no_laws(doubler: ExportDraft, axes: tuple[InputAxis, ...]) -> None:
    assert replace(doubler, axes=axes).laws == (None, None)


def test_a_value_that_no_step_has_added_is_an_error(doubler: ExportDraft) -> None:
    assert needed(0) == 0
    with pytest.raises(RuntimeError, match="no step before it has added"):
        _ = replace(doubler, axes=None).laws
