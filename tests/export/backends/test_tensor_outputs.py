from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from upconv.export.backends.tensor_outputs import tensors_of

ONE, TWO = torch.ones(1), torch.zeros(2)


@dataclass
class Pair:
    first: Tensor
    count: int
    second: Tensor


@pytest.mark.parametrize(
    "result", [(ONE, TWO), {"b": ONE, "n": 3, "a": [TWO]}, Pair(ONE, 3, TWO), SimpleNamespace(x=ONE, y=(None, TWO))]
)
def test_every_tensor_is_found_in_order(result: object) -> None:
    assert [tensor.numel() for tensor in tensors_of(result)] == [1, 2]


def test_a_text_holds_no_tensor() -> None:
    assert tensors_of("word") == []
