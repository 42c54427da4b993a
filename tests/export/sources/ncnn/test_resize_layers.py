from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.export.sources.ncnn.conftest import Run, drawn

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("0=1 1=2 2=2", {"scale_factor": 2, "mode": "nearest"}),
        ("0=1 1=3 2=2", {"scale_factor": (3, 2), "mode": "nearest"}),
        ("0=2 1=2 2=2", {"scale_factor": 2, "mode": "bilinear"}),
        ("0=2 1=4 2=4", {"scale_factor": 4, "mode": "bilinear"}),
        ("0=2 1=2 2=2 6=1", {"scale_factor": 2, "mode": "bilinear", "align_corners": True}),
        ("0=3 1=2 2=2", {"scale_factor": 2, "mode": "bicubic"}),
        ("0=2 3=11 4=14", {"size": (11, 14), "mode": "bilinear"}),
    ],
)
def test_interp(compared: Run, text: str, settings: dict[str, object]) -> None:
    image = drawn(1, 3, 8, 9)
    got = compared([INPUT, f"Interp up 1 1 data out {text}"], [], image)
    np.testing.assert_allclose(got, F.interpolate(torch.from_numpy(image), **settings), atol=1e-5)  # type: ignore[arg-type]


def test_interp_to_the_size_of_another_blob(compared: Run) -> None:
    layers = ["Input a 0 1 a", "Input b 0 1 b", "Interp up 2 1 a b out 0=1 5=1"]
    got = compared(layers, [], drawn(1, 3, 4, 5), drawn(1, 2, 8, 10))
    assert got.shape == (1, 3, 8, 10)


@pytest.mark.parametrize(
    ("text", "mode"), [("4=0 5=0.5", "constant"), ("4=0", "constant"), ("4=1", "edge"), ("4=2", "reflect")]
)
def test_padding(compared: Run, text: str, mode: str) -> None:
    image = drawn(1, 3, 6, 7)
    got = compared([INPUT, f"Padding pad 1 1 data out 0=1 1=2 2=3 3=4 {text}"], [], image)
    values = {"constant_values": 0.5} if "5=" in text else {}
    np.testing.assert_array_equal(got, np.pad(image, ((0, 0), (0, 0), (1, 2), (3, 4)), mode, **values))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("Interp up 1 1 data out 0=1 1=65 2=2", "has the scales"),
        ("Interp up 1 1 data out 0=7 1=2 2=2", "has the kind 7"),
        ("Interp up 1 1 data out 0=1 3=5000 4=5", "an output length of 5000"),
        ("Padding pad 1 1 data out 0=4097", "a padding of 4097"),
        ("Padding pad 1 1 data out 0=-1", "a padding of -1"),
    ],
)
def test_what_is_out_of_bounds_is_named(compared: Run, layer: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, layer], [], drawn(1, 3, 8, 8))


def test_the_largest_scale_is_accepted(compared: Run) -> None:
    assert compared([INPUT, "Interp up 1 1 data out 0=1 1=64 2=64"], [], drawn(1, 3, 1, 1)).shape == (1, 3, 64, 64)
