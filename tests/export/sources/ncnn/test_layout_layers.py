from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.export.sources.ncnn.conftest import Run, drawn

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


def test_pixel_shuffle_is_torchs(compared: Run) -> None:
    image = drawn(1, 12, 4, 5)
    got = compared([INPUT, "PixelShuffle up 1 1 data out 0=2"], [], image)
    np.testing.assert_array_equal(got, F.pixel_shuffle(torch.from_numpy(image), 2))


@pytest.mark.parametrize(
    "layer",
    [
        *(
            "PixelShuffle op 1 1 data out 0=2 1=1",
            "Reorg op 1 1 data out 0=2",
            "Reorg op 1 1 data out 0=2 1=1",
            "Flatten op 1 1 data out",
        ),
        *("ShuffleChannel op 1 1 data out 0=3", "ShuffleChannel op 1 1 data out 0=3 1=1"),
        *(f"Permute op 1 1 data out 0={order}" for order in range(6)),
        *(
            "Reshape op 1 1 data out 0=24 1=12",
            "Reshape op 1 1 data out 0=-1",
            "Reshape op 1 1 data out 0=0 1=-1",
            "ExpandDims op 1 1 data out -23303=1,0",
        ),
    ],
)
def test_a_layout(compared: Run, layer: str) -> None:
    """ncnn, where it is installed, is the reference."""
    compared([INPUT, layer], [], drawn(1, 12, 4, 6))


@pytest.mark.parametrize(("text", "shape"), [("-23303=1,0", (1, 1, 4, 6)), ("2=1", (1, 1, 4, 6))])
def test_squeeze(compared: Run, text: str, shape: tuple[int, ...]) -> None:
    compared([INPUT, f"Squeeze op 1 1 data out {text}"], [], drawn(*shape))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("PixelShuffle op 1 1 data out 0=5", "has 12 channels; expected a multiple of 25"),
        ("PixelShuffle op 1 1 data out 0=65", "a factor of 65"),
        ("ShuffleChannel op 1 1 data out 0=5", "shuffles 5 groups"),
        ("Permute op 1 1 data out 0=6", "has the order 6"),
        ("Reshape op 1 1 data out 0=-1 1=-1", "at most one -1"),
    ],
)
def test_what_does_not_fit_is_named(compared: Run, layer: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, layer], [], drawn(1, 12, 4, 6))
