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
from upconv.runtime.errors import ExportError


class Applied(nn.Module):
    """Applies one function."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Any:
        return self.function(image)


FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    "one field": lambda x: F.adaptive_max_pool2d(x, 1),
    "unequal fields": lambda x: F.adaptive_max_pool2d(x, (3, 5)),
    "more fields than pixels": lambda x: F.adaptive_max_pool2d(x, (3, 64)),
    "fields of a line": lambda x: F.adaptive_max_pool1d(x[:, :, 0], 3),
    "fields of a volume": lambda x: F.adaptive_max_pool3d(x[:, :, None], (1, 2, 3)),
    "median of channels": lambda x: x.median(1, keepdim=True).values,
    "median of rows": lambda x: x.median(-2).values,
    "median of all": lambda x: x - x.median(),
    "k-th value": lambda x: x.kthvalue(2, 1).values,
    "index of the k-th value": lambda x: x.kthvalue(3, 3, keepdim=True).indices,
    "sort": lambda x: x.sort(2, descending=True).values,
    "stable sort": lambda x: torch.sort(x, dim=-1, stable=True).values,
    "order of equal values": lambda x: torch.sort((x * 4).round(), dim=2, stable=True, descending=True).indices,
    "argsort": lambda x: torch.argsort(x, 3),
    "msort": lambda x: x.transpose(0, 2).msort().transpose(0, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_equal_those_of_torch_at_every_size(name: str) -> None:
    module, axes = Applied(FUNCTIONS[name]), [InputAxis(2, None, free=True), InputAxis(3, None, free=True)]
    graph = OnnxruntimeBackend(capture(module, "layer", [np.zeros((1, 4, 16, 16), np.float32)], axes))
    for shape in ((1, 4, 16, 16), (2, 4, 7, 11), (3, 4, 40, 9), (1, 4, 6, 65)):
        image = torch.randn(shape)
        assert np.array_equal(graph.run([image.numpy()])[0], module(image).numpy()), shape


def test_places_of_an_adaptive_pooling_are_refused_in_a_sentence() -> None:
    module = Applied(lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[1])
    with pytest.raises(ExportError, match="adaptive_max_pool2d returns have no form in ONNX; call it without return_indices"):
        capture(module, "layer", [np.zeros((1, 4, 16, 16), np.float32)], [])
