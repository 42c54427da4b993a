from __future__ import annotations

import pytest
from tests.export.sources.ncnn.conftest import Run, drawn

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("text", ["1=2 2=2", "1=3 2=2 3=1 5=1", "1=3 2=1 3=1", "1=2 2=2 5=2", "4=1", "7=1 8=1"])
def test_pooling(compared: Run, kind: int, text: str) -> None:
    """ncnn, where it is installed, is the reference."""
    compared([INPUT, f"Pooling pool 1 1 data out 0={kind} {text}"], [], drawn(1, 3, 8, 10))


@pytest.mark.parametrize(
    ("text", "message"), [("0=2 1=2", "the kind 2"), ("1=2 5=9", "the padding mode 9"), ("7=1 8=2", "only 1x1")]
)
def test_what_is_unknown_is_named(compared: Run, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, f"Pooling pool 1 1 data out {text}"], [], drawn(1, 3, 8, 8))
