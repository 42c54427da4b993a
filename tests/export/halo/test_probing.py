from __future__ import annotations

import onnx
import pytest

from upconv.export.halo.probing import MARGIN_PX, probe_shapes
from upconv.runtime.contract import Halo, SizeLaw

MODEL = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["": 18]> g (float[1,3,h,w] x) => (float[1,1,h,w] y)
    <float[1,3,1,1] weight = {1.0, 1.0, 1.0}> { y = Conv(x, weight) }"""
)
HALO = Halo(top=2, bottom=3, left=1, right=0)
LAWS = (SizeLaw(scale=1), SizeLaw(scale=1, multiple=4))


def test_the_input_is_larger_than_the_halo() -> None:
    assert probe_shapes(MODEL, 3, LAWS, HALO) == [(1, 3, 5 + MARGIN_PX, 20)]


def test_an_input_that_is_too_slow_becomes_two_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upconv.export.halo.probing.BUDGET", 1.0)
    assert probe_shapes(MODEL, 3, LAWS, HALO) == [(1, 3, 5 + MARGIN_PX, 4), (1, 3, 4, 20)]


def test_an_input_is_not_longer_than_the_law_allows() -> None:
    assert probe_shapes(MODEL, 3, (SizeLaw(scale=1, maximum=8), LAWS[1]), HALO) == [(1, 3, 8, 20)]
