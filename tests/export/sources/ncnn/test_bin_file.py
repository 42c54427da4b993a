from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import plain, tagged

from upconv.export.sources.ncnn.bin_file import FLOAT16, FLOAT32, INT8, BinFile
from upconv.runtime.errors import SourceError

VALUES = np.array([1, -2.5, 3], np.float32)


def test_parts_follow_each_other() -> None:
    file = BinFile(tagged(VALUES, FLOAT16) + plain(VALUES) + FLOAT32.to_bytes(4, "little") + plain(VALUES))
    np.testing.assert_array_equal(file.tagged(3, "a"), VALUES)
    np.testing.assert_array_equal(file.plain(3, "b"), VALUES)
    np.testing.assert_array_equal(file.tagged(3, "c"), VALUES)
    file.finish()


def test_weights_from_a_table() -> None:
    table = np.arange(256, dtype=np.float32) / 2
    content = b"\x01\x00\x00\x00" + table.tobytes() + bytes([0, 3, 255, 0])
    np.testing.assert_array_equal(BinFile(content).tagged(3, "a"), [0, 1.5, 127.5])


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_truncated_file_is_refused(cut: int) -> None:
    with pytest.raises(SourceError, match=r"it is truncated or does not belong to the \.param file"):
        BinFile(tagged(VALUES)[:-cut]).tagged(3, "the layer 'a'")


def test_bytes_that_are_left_are_counted() -> None:
    file = BinFile(plain(VALUES) + b"1234")
    file.plain(3, "a")
    with pytest.raises(SourceError, match="holds 4 bytes more"):
        file.finish()


def test_int8_weights_are_refused() -> None:
    with pytest.raises(SourceError, match="has int8 weights"):
        BinFile(INT8.to_bytes(4, "little") + b"1234").tagged(4, "the layer 'a'")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(SourceError, match="not finite"):
        BinFile(plain(np.array([value], np.float32))).plain(1, "the layer 'a'")


@pytest.mark.parametrize("count", [0, -5, 2**40])
def test_an_impossible_number_of_weights_is_refused(count: int) -> None:
    with pytest.raises(SourceError, match="weights"):
        BinFile(plain(VALUES)).plain(count, "the layer 'a'")
