from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


class Attended(nn.Module):
    """Attention among all pixels, with tensors of `lead` + 2 axes."""

    def __init__(self, lead: int, kind: str) -> None:
        super().__init__()
        self.lead, self.kind = lead, kind
        self.project = nn.Conv2d(3, 24, 1)

    def forward(self, image: Tensor) -> Tensor:
        parts = self.project(image).flatten(2).transpose(1, 2).chunk(3, -1)
        query, key, value = (part.reshape(part.shape[0], *[1] * (self.lead - 1), *part.shape[1:]) for part in parts)
        count = query.shape[-2]
        if self.kind == "causal":
            return F.scaled_dot_product_attention(query, key, value, is_causal=True)
        if self.kind == "scaled":
            return F.scaled_dot_product_attention(query, key, value, scale=0.7)
        distance = (torch.arange(count)[:, None] - torch.arange(count)).abs()
        mask = {"plain": None, "near": distance < 5, "added": distance * -0.1}[self.kind]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


@pytest.mark.parametrize("lead", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["plain", "scaled", "causal", "near", "added"])
def test_attention_is_equal_for_any_number_of_axes_and_pixels(lead: int, kind: str) -> None:
    torch.manual_seed(0)
    module = Attended(lead, kind).eval().requires_grad_(False)
    axes = [InputAxis(2, None, free=True), InputAxis(3, None, free=True)]
    graph = OnnxruntimeBackend(capture(module, "attention", [np.zeros((1, 3, 4, 4), np.float32)], axes))
    for shape in ((1, 3, 4, 4), (2, 3, 3, 7), (3, 3, 9, 2)):
        image = torch.rand(shape)
        np.testing.assert_allclose(graph.run([image.numpy()])[0], module(image).numpy(), atol=1e-5)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_a_normalization_of_nothing_is_the_empty_tensor() -> None:
    module = nn.Sequential(nn.Linear(3, 0), nn.LayerNorm(0), nn.Linear(0, 2)).requires_grad_(False)
    image = torch.rand(4, 3)
    graph = OnnxruntimeBackend(capture(module, "empty", [image.numpy()], []))
    np.testing.assert_allclose(graph.run([image.numpy()])[0], module(image).numpy(), atol=1e-6)
