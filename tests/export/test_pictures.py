from __future__ import annotations

from collections.abc import Sequence

import onnx
import pytest
from onnx import TensorProto, helper

from upconv.export.pictures import PHOTOGRAPH, PHOTOGRAPHS, image_pixels
from upconv.runtime.contract import Pixels, SizeLaw

DOUBLE = SizeLaw(scale=2)


def graph(channels: int, inputs: int = 1) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, ["n", channels, "h", "w"]) for n in range(inputs)]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels, None, None])
    return helper.make_model(helper.make_graph([], "g", values, [output]))


def test_the_photographs_are_there_with_their_licences() -> None:
    assert PHOTOGRAPH.is_file()
    assert (PHOTOGRAPHS / "LICENCES.md").is_file()


@pytest.mark.parametrize(("channels", "color"), [(3, "rgb"), (1, "y")])
def test_an_upscaler_keeps_the_range_and_takes_the_colour_of_its_channels(channels: int, color: str) -> None:
    pixels = image_pixels(graph(channels), channels, [DOUBLE, DOUBLE], Pixels(low=-1))
    assert pixels is not None
    assert (pixels.color, pixels.low, pixels.high) == (color, -1, 1)


@pytest.mark.parametrize(
    ("model", "channels", "laws"),
    [
        (graph(3), 3, [DOUBLE, None]),
        (graph(3), 3, [SizeLaw(scale=0.5), SizeLaw(scale=0.5)]),
        (graph(3), 3, [SizeLaw(scale=1.5), SizeLaw(scale=1.5)]),
        (graph(3), 3, [DOUBLE, SizeLaw(scale=3)]),
        (graph(3, inputs=2), 3, [DOUBLE, DOUBLE]),
        (graph(4), 4, [DOUBLE, DOUBLE]),
        (graph(3), 1, [DOUBLE, DOUBLE]),
    ],
)
def test_any_other_model_has_no_pixels(model: onnx.ModelProto, channels: int, laws: Sequence[SizeLaw | None]) -> None:
    assert image_pixels(model, channels, laws, Pixels()) is None


@pytest.mark.parametrize("law", [SizeLaw(scale=1), SizeLaw(scale=2, offset=-28), SizeLaw(scale=2, offset=2)])
def test_models_that_restore_or_want_a_context_take_pictures(law: SizeLaw) -> None:
    assert image_pixels(graph(3), 3, [law, law], Pixels()) == Pixels()
