from __future__ import annotations

import pytest
from tests.export.sources.ncnn.conftest import param

from upconv.export.sources.ncnn.blob import Length
from upconv.export.sources.ncnn.input_shape import example_shapes, input_shape, stated_size
from upconv.export.sources.ncnn.param_file import parse_param


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (["Input data 0 1 data 0=8 1=9 2=5", "ReLU r 1 1 data out"], (5, None, None)),
        (["Input data 0 1 data", "ReLU r 1 1 data out"], (3, None, None)),
        (["Input data 0 1 data", "Split s 1 2 data a b", "Convolution c 1 1 b out 0=8 1=3 6=72"], (1, None, None)),
        (["Input data 0 1 data", "Reorg s 1 1 data a 0=2", "Convolution c 1 1 a out 0=8 1=3 6=864"], (3, None, None)),
        (["Input data 0 1 data", "PReLU p 1 1 data out 0=7"], (7, None, None)),
        (["Input data 0 1 data 0=12", "ReLU r 1 1 data out"], (12,)),
        (["Input data 0 1 data 0=12 1=4", "ReLU r 1 1 data out"], (4, 12)),
    ],
)
def test_the_shape_of_an_input(layers: list[str], expected: tuple[Length, ...]) -> None:
    parsed = parse_param(param(*layers))
    assert input_shape(parsed[0], parsed, None) == expected


def test_an_example_decides() -> None:
    parsed = parse_param(param("Input data 0 1 data", "ReLU r 1 1 data out"))
    assert input_shape(parsed[0], parsed, (1, 4, 8, 8)) == (4, None, None)


def test_free_lengths_take_the_size() -> None:
    assert example_shapes({"a": (3, None, None), "b": (6,)}, (16, 24)) == ((1, 3, 16, 24), (1, 6))


@pytest.mark.parametrize(
    ("text", "size"), [("0=48 1=32", (32, 48)), ("0=0 1=32", None), ("0=4096 1=1", (1, 4096)), ("0=4097 1=1", None)]
)
def test_the_stated_size(text: str, size: tuple[int, int] | None) -> None:
    parsed = parse_param(param(f"Input data 0 1 data {text} 2=3", "ReLU r 1 1 data out"))
    assert stated_size(parsed[0]) == size
