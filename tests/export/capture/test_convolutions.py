from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends import OnnxruntimeBackend
from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis


class OwnWeights(nn.Module):
    """Convolves each image of a batch with weights of its own, as StyleGAN2 does."""

    def __init__(self, transposed: bool, bias: bool, rank: int = 2) -> None:
        super().__init__()
        self.call: Any = getattr(F, f"conv{'_transpose' if transposed else ''}{rank}d")
        self.weight = nn.Parameter(torch.randn(6, 4, *[3] * rank) * 0.2)
        self.style = nn.Linear(5, 4)
        self.transposed, self.bias = transposed, nn.Parameter(torch.randn(6)) if bias else None

    def forward(self, image: Tensor, style: Tensor) -> Tensor:
        batch, channels, *sizes = image.shape
        factors = self.style(style)[:, None, :, *[None] * len(sizes)]
        weight = self.weight[None] * factors
        weight = weight.transpose(1, 2) if self.transposed else weight
        bias = None if self.bias is None else self.bias.repeat(batch)
        folded = image.reshape(1, batch * channels, *sizes)
        made = self.call(folded, weight.flatten(0, 1), bias, stride=2, padding=1, groups=batch)
        return made.reshape(batch, 6, *made.shape[2:])  # type: ignore[no-any-return]


class Stated(nn.Module):
    """A transposed convolution whose output size is stated."""

    def __init__(self, padding: int, bias: bool, stride: int = 3) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, stride, 1)
        self.up = nn.ConvTranspose2d(4, 2, 3, stride, padding, bias=bias)

    def forward(self, image: Tensor) -> Tensor:
        low = self.down(image)
        least = [(n - 1) * self.up.stride[0] - 2 * self.up.padding[0] + 3 for n in low.shape[2:]]
        size = [n + given % self.up.stride[0] for n, given in zip(least, image.shape[2:], strict=True)]
        made: Tensor = self.up(low, output_size=size)
        return made


def _free(module: nn.Module, *shapes: tuple[int, ...]) -> OnnxruntimeBackend:
    axes = [InputAxis(index, None, free=True) for index in range(2, len(shapes[0]))]
    example = [np.random.default_rng(0).random(shape, np.float32) for shape in shapes]
    return OnnxruntimeBackend(capture(module.eval().requires_grad_(False), "module", example, axes))


def _equal(module: nn.Module, graph: OnnxruntimeBackend, *shapes: tuple[int, ...]) -> None:
    inputs = [torch.rand(shape) for shape in shapes]
    expected = module(*inputs).numpy()
    np.testing.assert_allclose(graph.run([x.numpy() for x in inputs])[0], expected, atol=3e-6)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_a_batch_in_groups_is_equal_for_any_batch_and_size(transposed: bool, bias: bool) -> None:
    torch.manual_seed(0)
    module = OwnWeights(transposed, bias)
    graph = _free(module, (1, 4, 8, 8), (1, 5))
    for batch, height, width in ((1, 8, 8), (2, 7, 12), (5, 17, 3)):
        _equal(module, graph, (batch, 4, height, width), (batch, 5))


@pytest.mark.parametrize("transposed", [False, True])
def test_a_batch_in_groups_is_equal_for_lines(transposed: bool) -> None:
    torch.manual_seed(0)
    module = OwnWeights(transposed, bias=True, rank=1)
    graph = _free(module, (1, 4, 16), (1, 5))
    _equal(module, graph, (3, 4, 9), (3, 5))


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("bias", [False, True])
def test_a_stated_output_size_is_kept_for_every_remainder(padding: int, bias: bool) -> None:
    torch.manual_seed(0)
    module = Stated(padding, bias)
    graph = _free(module, (1, 3, 32, 32))
    for height, width in ((9, 10), (11, 9), (32, 32), (70, 41)):
        _equal(module, graph, (2, 3, height, width))


def test_constant_groups_stay_one_convolution() -> None:
    model = capture(nn.Conv2d(4, 4, 3, groups=2), "layer", [np.zeros((1, 4, 8, 8), np.float32)], [])
    assert [node.op_type for node in model.graph.node] == ["Conv"]
