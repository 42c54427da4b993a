from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn

from upconv.runtime.errors import SourceError

TWO = ["Input a 0 1 a", "Input b 0 1 b"]


@pytest.mark.parametrize("kind", range(10))
def test_two_blobs(compared: Run, kind: int) -> None:
    a, b = (np.abs(drawn(1, 3, 6, 7, seed=n)) + 0.5 for n in (0, 1))
    compared([*TWO, f"BinaryOp op 2 1 a b out 0={kind}"], [], a, b)


@pytest.mark.parametrize("kind", range(10))
def test_a_blob_and_a_number(compared: Run, kind: int) -> None:
    compared(["Input a 0 1 a", f"BinaryOp op 1 1 a out 0={kind} 1=1 2=1.5"], [], np.abs(drawn(1, 3, 6, 7)) + 0.5)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 1, 6, 7), (1, 3), (1, 3, 6), (1, 1, 1, 7), (1, 7)])
@pytest.mark.parametrize("first", [True, False])
def test_blobs_of_different_shapes(compared: Run, shape: tuple[int, ...], first: bool) -> None:
    names = "a b" if first else "b a"
    compared([*TWO, f"BinaryOp op 2 1 {names} out 0=1"], [], drawn(1, 3, 6, 7), drawn(*shape, seed=1))


def test_blobs_that_do_not_fit_are_named(compared: Run) -> None:
    with pytest.raises(SourceError, match=r"shapes 3x\?x\? and 2x\?x\?, which do not fit"):
        compared([*TWO, "BinaryOp op 2 1 a b out"], [], drawn(1, 3, 6, 7), drawn(1, 2, 6, 7))


@pytest.mark.parametrize("kind", [*range(8), 9, 10, 11, 14, 15, 16, 17, 18, 19])
def test_an_operation_of_one_blob(compared: Run, kind: int) -> None:
    compared(["Input a 0 1 a", f"UnaryOp op 1 1 a out 0={kind}"], [], np.abs(drawn(1, 3, 6, 7)) * 0.4 + 0.1)


@pytest.mark.parametrize("text", ["0=0", "0=1", "0=1 -23301=2,0.5,-2.0", "0=2"])
def test_eltwise(compared: Run, text: str) -> None:
    compared([*TWO, f"Eltwise op 2 1 a b out {text}"], [], drawn(1, 3, 6, 7), drawn(1, 3, 6, 7, seed=1))


@pytest.mark.parametrize(
    "layer", ["BinaryOp op 2 1 a b out 0=77", "Eltwise op 2 1 a b out 0=3", "Eltwise op 2 1 a b out 0=1 -23301=1,2"]
)
def test_an_unknown_operation_is_named(compared: Run, layer: str) -> None:
    with pytest.raises(SourceError, match=r"the operation|has 1 factors for 2 blobs"):
        compared([*TWO, layer], [], drawn(1, 3, 6, 7), drawn(1, 3, 6, 7))
