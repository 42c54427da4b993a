from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn, plain

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize("operation", range(11))
@pytest.mark.parametrize("text", ["1=0 -23303=2,1,2 4=1 5=1", "1=0 -23303=1,0 4=0 5=1", "1=1"])
def test_reduction(compared: Run, operation: int, text: str) -> None:
    """ncnn, where it is installed, is the reference."""
    compared([INPUT, f"Reduction op 1 1 data out 0={operation} {text}"], [], np.abs(drawn(1, 2, 3, 4)) + 0.1)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_softmax(compared: Run, axis: int) -> None:
    compared([INPUT, f"Softmax op 1 1 data out 0={axis} 1=1"], [], drawn(1, 3, 4, 5))


@pytest.mark.parametrize("text", ["0=1 4=0 1=1 3=1 2=0.01", "0=0 4=1 1=1 3=1 2=0.01 9=1", "0=1 4=1 1=0 3=3 2=0.01 9=2"])
def test_normalize(compared: Run, text: str) -> None:
    compared([INPUT, f"Normalize op 1 1 data out {text}"], [plain(drawn(3 if "3=3" in text else 1))], drawn(1, 3, 4, 5))


@pytest.mark.parametrize(
    ("layer", "message"),
    [("Reduction op 1 1 data out 0=11", "the operation 11"), ("Normalize op 1 1 data out 0=0", "along no axis")],
)
def test_what_is_unknown_is_named(compared: Run, layer: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        compared([INPUT, layer], [], drawn(1, 3, 8, 8))
