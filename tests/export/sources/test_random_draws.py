from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.sources.random_draws import refuse_random_draws
from upconv.runtime.errors import ExportError

X = np.ones((1, 8), np.float32)


class Dropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, 0.5)


class Counting(nn.Module):
    count = 0

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        return x * self.count


class Unused(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * torch.randn_like(x)


def test_a_random_draw_is_refused_with_its_line() -> None:
    with pytest.raises(ExportError, match=r"draws random numbers in evaluation.*test_random_draws.py, line"):
        refuse_random_draws(Dropping(), "net", [X])


def test_a_state_is_refused() -> None:
    with pytest.raises(ExportError, match="keeps a state"):
        refuse_random_draws(Counting(), "net", [X])


@pytest.mark.parametrize("module", [Unused(), nn.Linear(8, 2)])
def test_a_result_that_repeats_is_returned(module: nn.Module) -> None:
    assert isinstance(refuse_random_draws(module, "net", [X]), Tensor)
