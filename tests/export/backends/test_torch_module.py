from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from upconv.export.backends.torch_module import TorchBackend
from upconv.runtime.errors import SourceError


class Nested(nn.Module):
    def forward(self, image: Tensor, index: Tensor) -> dict[str, object]:
        return {"pair": (image * 2, index), "count": 3}


def test_nested_tensors_are_flattened_and_integers_keep_their_type() -> None:
    image, index = np.ones((1, 2), np.float32), np.array([4])
    outputs = TorchBackend(Nested(), torch.float64).run([image, index])
    assert [output.dtype for output in outputs] == [np.float64, np.int64]


def test_the_module_of_the_caller_keeps_its_type_and_mode() -> None:
    module = nn.Conv2d(1, 1, 1).train()
    TorchBackend(module, torch.float64)
    assert module.weight.dtype == torch.float32
    assert module.training


def test_an_output_without_tensors_is_refused() -> None:
    class Word(nn.Module):
        def forward(self, image: Tensor) -> str:
            return "word"

    with pytest.raises(SourceError, match="expected tensors from the module, got str"):
        TorchBackend(Word(), torch.float32).run([np.ones(1, np.float32)])
