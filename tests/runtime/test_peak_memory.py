from __future__ import annotations

from upconv.runtime.passes import Passes
from upconv.runtime.peak_memory import peak_bytes

PASSES = Passes(100, 50, (150, 75), ())


def test_formats_whose_encoder_holds_the_whole_result_take_more() -> None:
    assert peak_bytes(PASSES, "png", False) == 100 * 50 * 20
    assert peak_bytes(PASSES, "webp", False) == 100 * 50 * 20 + 150 * 75 * 10
    assert peak_bytes(PASSES, "webp", True) == 100 * 50 * 20 + 150 * 75 * 42
    assert peak_bytes(PASSES, "avif", False) == 100 * 50 * 20 + 150 * 75 * 40
