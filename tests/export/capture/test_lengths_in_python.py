from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


class Padded(nn.Module):
    """Adds rows, whose number is a function of the height."""

    def __init__(self, rows: Callable[[Any], Any]) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, image: Tensor) -> Tensor:
        return F.pad(image, [0, 0, 0, self.rows(image.shape[2]) + 50])


@pytest.mark.parametrize(
    "rows",
    [
        lambda n: (8 - n) // 3,
        lambda n: -(-n // 2),
        lambda n: n // -5,
        lambda n: (8 - n) % 3,
        lambda n: n % -5,
        lambda n: (8 - n) >> 1,
        lambda n: n << 1,
        lambda n: round(n / 2),
        lambda n: round(n * 0.3),
        lambda n: n & 7,
        lambda n: 3 & n,
        lambda n: sum(divmod(n, 5)),
        lambda n: int(n * 0.4),
    ],
)
def test_lengths_round_as_in_python(rows: Callable[[Any], Any]) -> None:
    module, axes = Padded(rows), [InputAxis(2, None, free=True)]
    graph = OnnxruntimeBackend(capture(module, "padded", [np.zeros((1, 1, 32, 2), np.float32)], axes))
    for height in (1, 3, 5, 7, 8, 9, 15, 31, 32, 33, 45):
        image = np.zeros((1, 1, height, 2), np.float32)
        assert graph.run([image])[0].shape == tuple(module(torch.from_numpy(image)).shape), height
