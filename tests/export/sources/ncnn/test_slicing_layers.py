from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn, plain

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize(
    ("text", "rows", "columns", "channels"),
    [
        ("0=1 1=2 3=4 4=3 5=2", slice(2, 5), slice(1, 5), slice(0, 2)),
        ("0=1 1=2 2=0 3=-233 4=-233 5=-233", slice(2, None), slice(1, None), slice(None)),
        ("0=1 1=2 2=0 6=1 7=2 3=-233 4=-233 5=-233", slice(2, -2), slice(1, -1), slice(None)),
        ("-23309=1,2 -23310=1,-1 -23311=1,1", slice(2, -1), slice(None), slice(None)),
        ("-23309=2,1,2 -23310=2,-233,6 -23311=2,1,2", slice(1, None), slice(2, 6), slice(None)),
        ("-23309=1,-3 -23310=1,-233 -23311=1,2", slice(None), slice(-3, None), slice(None)),
    ],
)
def test_crop(compared: Run, text: str, rows: slice, columns: slice, channels: slice) -> None:
    image = drawn(1, 3, 8, 9)
    np.testing.assert_array_equal(
        compared([INPUT, f"Crop crop 1 1 data out {text}"], [], image), image[:, channels, rows, columns]
    )


def test_a_crop_to_the_size_of_another_blob(compared: Run) -> None:
    image = drawn(1, 3, 8, 9)
    layers = ["Input a 0 1 a", "Input b 0 1 b", "Crop crop 2 1 a b out 0=1 1=2 2=0"]
    np.testing.assert_array_equal(compared(layers, [], image, drawn(1, 3, 4, 5)), image[:, :, 2:6, 1:6])


@pytest.mark.parametrize("text", ["-23300=2,1,3", "-23300=2,-233,-233", "-23300=2,2,-233", "-23302=1,1"])
def test_slice(compared: Run, text: str) -> None:
    compared([INPUT, f"Slice slice 1 2 data one two {text}"], [], drawn(1, 4, 5, 6))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_concat(compared: Run, axis: int) -> None:
    layers = ["Input a 0 1 a", "Input b 0 1 b", f"Concat cat 2 1 a b out 0={axis}"]
    a, b = drawn(1, 3, 5, 6), drawn(1, 3, 5, 6, seed=1)
    np.testing.assert_array_equal(compared(layers, [], a, b), np.concatenate([a, b], axis + 1 if axis >= 0 else axis))


def test_split_copies(compared: Run) -> None:
    image = drawn(1, 3, 5, 6)
    got = compared([INPUT, "Split split 1 2 data a b", "BinaryOp op 2 1 a b out"], [], image)
    np.testing.assert_array_equal(got, 2 * image)


def test_memory_data_is_a_constant(compared: Run) -> None:
    image, values = drawn(1, 3, 5, 6), drawn(3, seed=1)
    layers = [INPUT, "MemoryData memory 0 1 values 0=1 1=1 2=3", "BinaryOp op 2 1 data values out 0=2"]
    np.testing.assert_allclose(compared(layers, [plain(values)], image), image * values.reshape(3, 1, 1), rtol=1e-6)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["Crop crop 1 1 data out 0=9999 3=2 4=2 5=3"], "an offset of 9999"),
        (["Crop crop 1 1 data out 2=3 3=-233 4=-233 5=-233"], "keeps nothing of an axis of length 3"),
        (["Slice slice 1 2 data one two -23300=2,1,1"], "cuts an axis of length 3"),
        (["Slice slice 1 2 data one two -23300=2,1,2 1=1"], "whose length depends on the picture"),
        (["Slice slice 1 2 data one two -23300=2,1,2 1=7"], "works along axis 7"),
        (["MemoryData memory 0 1 out"], "has no lengths"),
    ],
)
def test_what_does_not_fit_is_named(compared: Run, layers: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, *layers], [], drawn(1, 3, 8, 8))
