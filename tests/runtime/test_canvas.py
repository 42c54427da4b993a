from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from upconv.runtime import canvas
from upconv.runtime.canvas import MemoryCanvas, new_canvas
from upconv.runtime.spool import Spool


@pytest.mark.parametrize(("width", "dtype", "kind"), [(8, np.uint8, MemoryCanvas), (9, np.uint8, Spool), (8, np.uint16, Spool)])
def test_a_result_above_the_limit_is_on_disk(
    width: int, dtype: Any, kind: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "SPOOL_BYTES", 5 * 8 * 3)
    assert isinstance(new_canvas((5, width, 3), dtype), kind)


@pytest.mark.parametrize("limit", [0, 10**6])
@pytest.mark.parametrize(("channels", "dtype"), [(1, np.uint8), (3, np.uint8), (4, np.uint16)])
def test_blocks_written_in_any_order_become_the_result(
    limit: int, channels: int, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canvas, "SPOOL_BYTES", limit)
    expected = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, channels), dtype, endpoint=True)
    made = new_canvas(expected.shape, dtype)
    for top, left, bottom, right in ((3, 4, 5, 7), (0, 0, 3, 4), (3, 0, 5, 4), (0, 4, 3, 7)):
        made.write(top, left, expected[top:bottom, left:right])
    samples = made.samples()
    assert samples.dtype == dtype
    np.testing.assert_array_equal(samples, expected)
