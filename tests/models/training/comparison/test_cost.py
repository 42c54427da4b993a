from __future__ import annotations

import pytest
from torch import nn

from upconv.models.training.comparison.cost import gflops, parameters


def test_parameters_and_operations_are_those_of_the_layer() -> None:
    layer = nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1)
    assert parameters(layer) == 3 * 5 * 16 + 5
    assert gflops(layer, 10) == pytest.approx(100 * 3 * 5 * 16 * 2 / 1e9)
