from __future__ import annotations

import pytest

from upconv.export.sizes import InputAxis, Shapes, axes_of, leading
from upconv.runtime.contract import Contract, Provenance, SizeLaw


def test_the_output_axis_of_a_law() -> None:
    outputs = ((1, 7), (1, 20, 30))
    assert InputAxis(2, None, free=True, output=(1, 1)).made(outputs) == 20
    assert InputAxis(1, None, free=True).made(outputs) == 7
    assert InputAxis(2, None, free=True).made(outputs) is None


@pytest.mark.parametrize(
    ("shapes", "first"), [(((1, 4), (1, 3, 8, 8)), 1), (((1, 3, 8), (1, 3, 8, 8)), 0), (((1, 4), (2,)), 0)]
)
def test_the_leading_input_is_the_first_with_places(shapes: Shapes, first: int) -> None:
    assert leading(shapes) == first


def test_the_axes_of_a_contract() -> None:
    law = SizeLaw(scale=2)
    stated = Contract(name="t", task="upscale", height=law, width=None, opset=18, provenance=Provenance(source="t"))
    height, width = axes_of(stated)
    assert (height.index, height.law, height.free) == (2, law, True)
    assert (width.index, width.law, width.free) == (3, None, False)
    assert axes_of(stated.model_copy(update={"height": None})) == ()
