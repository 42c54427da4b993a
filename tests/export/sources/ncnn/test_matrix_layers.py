from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn, plain, tagged

from upconv.runtime.errors import SourceError


@pytest.mark.parametrize("shape", [(1, 6), (1, 4, 6)])
def test_inner_product(compared: Run, shape: tuple[int, ...]) -> None:
    weights, bias, values = drawn(5, 6), drawn(5, seed=1), drawn(*shape, seed=2)
    layers = ["Input data 0 1 data", "InnerProduct op 1 1 data out 0=5 1=1 2=30"]
    np.testing.assert_allclose(compared(layers, [tagged(weights), plain(bias)], values), values @ weights.T + bias, atol=1e-5)


def test_squeeze_and_excitation(compared: Run) -> None:
    """The mean of a picture stays in the form that convolutions take, as in waifu2x's cunet."""
    layers = [
        "Input data 0 1 data",
        "Split split 1 2 data a b",
        "Pooling mean 1 1 a mean 0=1 4=1",
        "InnerProduct squeeze 1 1 mean squeezed 0=2 1=1 2=8 9=1",
        "InnerProduct excite 1 1 squeezed factor 0=4 1=1 2=8 9=4",
        "BinaryOp product 2 1 b factor out 0=2",
    ]
    weights = [tagged(drawn(8)), plain(drawn(2)), tagged(drawn(8, seed=1)), plain(drawn(4))]
    assert compared(layers, weights, drawn(1, 4, 6, 7)).shape == (1, 4, 6, 7)


@pytest.mark.parametrize("turned", [0, 1])
def test_matmul(compared: Run, turned: int) -> None:
    a, b = drawn(1, 4, 6), drawn(1, *((5, 6) if turned else (6, 5)), seed=1)
    got = compared(["Input a 0 1 a", "Input b 0 1 b", f"MatMul op 2 1 a b out 0={turned}"], [], a, b)
    np.testing.assert_allclose(got, a @ (b.swapaxes(1, 2) if turned else b), atol=1e-5)


def test_weights_that_do_not_fit_are_named(compared: Run) -> None:
    with pytest.raises(SourceError, match="has 31 weights, which do not fit 5 outputs"):
        compared(["Input data 0 1 data", "InnerProduct op 1 1 data out 0=5 2=31"], [], drawn(1, 6))
