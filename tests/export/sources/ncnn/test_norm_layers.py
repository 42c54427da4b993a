from __future__ import annotations

import numpy as np
import pytest
from tests.export.sources.ncnn.conftest import Run, drawn, plain

from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data"


@pytest.mark.parametrize(
    ("layer", "count"),
    [
        ("Scale op 1 1 data out 0=4 1=1", 2),
        ("Scale op 1 1 data out 0=4", 1),
        ("Bias op 1 1 data out 0=4", 1),
        ("BatchNorm op 1 1 data out 0=4 1=0.001", 4),
        ("InstanceNorm op 1 1 data out 0=4 1=0.001", 2),
        ("InstanceNorm op 1 1 data out 0=4 2=0", 0),
        ("GroupNorm op 1 1 data out 0=2 1=4 2=0.001", 2),
    ],
)
def test_a_layer_with_weights_for_each_channel(compared: Run, layer: str, count: int) -> None:
    """ncnn, where it is installed, is the reference."""
    compared([INPUT, layer], [plain(np.abs(drawn(4, seed=n)) + 0.5) for n in range(count)], drawn(1, 4, 5, 6))


def test_layer_norm(compared: Run) -> None:
    values = drawn(1, 5, 6)
    got = compared(
        [INPUT, "LayerNorm op 1 1 data out 0=6 1=0.001 2=1"],
        [plain(np.ones(6, np.float32)), plain(np.zeros(6, np.float32))],
        values,
    )
    expected = (values - values.mean(-1, keepdims=True)) / np.sqrt(values.var(-1, keepdims=True) + 0.001)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_factors_from_another_blob(compared: Run) -> None:
    layers = ["Input a 0 1 a", "Input b 0 1 b", "Scale op 2 1 a b out 0=-233"]
    a, b = drawn(1, 4, 5, 6), drawn(1, 4, seed=1)
    np.testing.assert_allclose(compared(layers, [], a, b), a * b[:, :, None, None], rtol=1e-6)


@pytest.mark.parametrize("layer", ["Scale op 1 1 data out 0=5", "Bias op 1 1 data out 0=5", "BatchNorm op 1 1 data out 0=5"])
def test_another_number_of_channels_is_named(compared: Run, layer: str) -> None:
    with pytest.raises(SourceError, match="has weights for 5 channels, but its input has 4"):
        compared([INPUT, layer], [plain(drawn(50))], drawn(1, 4, 5, 6))
