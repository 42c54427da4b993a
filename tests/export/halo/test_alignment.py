from __future__ import annotations

from fractions import Fraction

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.halo.alignment import Alignment, find_alignment, surroundings_for
from upconv.export.sizes import InputAxis
from upconv.export.sources import from_module
from upconv.runtime.contract import Context, Crop, SizeLaw
from upconv.runtime.tiling_axis import Surroundings


@pytest.mark.parametrize(
    ("scale", "offset", "shift", "expected"),
    [
        (2, -28, Fraction(7), (7, 7, 0, 0)),
        (2, -28, Fraction(5), (5, 9, 0, 0)),  # different on each side
        (1, -4, Fraction(2), (2, 2, 0, 0)),
        (2, 2, Fraction(-1, 2), (0, 0, 1, 1)),  # a transposed convolution without padding
        (2, -3, Fraction(3, 4), (1, 1, 1, 0)),  # half an output pixel: the earlier output
        (2, -1, Fraction(1, 4), (0, 1, 0, 1)),  # a transposed convolution without output padding
        (3, -4, Fraction(2, 3), (1, 1, 1, 1)),
    ],
)
def test_context_and_crop_make_the_result_a_multiple_of_the_picture(
    scale: int, offset: int, shift: Fraction, expected: tuple[int, int, int, int]
) -> None:
    law = SizeLaw(scale=scale, offset=offset)
    around = surroundings_for(law, shift)
    assert around == Surroundings(*expected)
    assert around.balance(law)


def test_what_is_empty_is_not_stated() -> None:
    plain = Alignment(Surroundings(), Surroundings())
    assert (plain.context, plain.crop) == (None, None)
    mixed = Alignment(Surroundings(1, 2, 0, 1), Surroundings())
    assert mixed.context == Context(top=1, bottom=2, left=0, right=0)
    assert mixed.crop == Crop(top=0, bottom=1, left=0, right=0)


class Rolled(nn.Module):
    """A valid convolution of a picture whose lines are moved around by 9, so that its output does not lie on the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 5)

    def forward(self, image: Tensor) -> Tensor:
        enlarged: Tensor = F.pixel_shuffle(self.conv(image.roll(9, 2)), 2)
        return enlarged


class Lopsided(nn.Module):
    """A valid convolution with padding above and to the left only."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 7)

    def forward(self, image: Tensor) -> Tensor:
        enlarged: Tensor = F.pixel_shuffle(self.conv(F.pad(image, (2, 0, 3, 0))), 2)
        return enlarged


def aligned(module: nn.Module, rows: SizeLaw, columns: SizeLaw) -> Alignment | str:
    torch.manual_seed(0)
    model = captured(module)
    return find_alignment(model, OnnxruntimeBackend(model), 3, (rows, columns))


def captured(module: nn.Module) -> onnx.ModelProto:
    source = from_module(module, name="m", shape=(1, 3, 33, 34))
    axes = tuple(InputAxis(index, SizeLaw(scale=2), free=True) for index in (2, 3))
    return source.original.capture("m", source.example, axes, 18)


def test_padding_on_one_side_moves_the_context_to_the_other() -> None:
    found = aligned(Lopsided(), SizeLaw(scale=2, offset=-6, minimum=4), SizeLaw(scale=2, offset=-8, minimum=5))
    assert isinstance(found, Alignment)
    assert found.context == Context(top=0, bottom=3, left=1, right=3)


def test_an_output_that_does_not_lie_on_the_picture_is_refused() -> None:
    law = SizeLaw(scale=2, offset=-8, minimum=5)
    found = aligned(Rolled(), law, law)
    assert isinstance(found, str)
    assert "acts as if they began at" in found
