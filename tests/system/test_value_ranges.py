"""Operators whose translation could hold from 0 to 1 only, compared with torch far outside of the example's values and sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime as ort
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.capture.tracing import capture
from upconv.export.sizes import InputAxis
from upconv.runtime.contract import SizeLaw

Operators = dict[str, Callable[[Tensor], Tensor]]

WHOLE: Operators = {
    "floor division": lambda x: (x * 10).int() // 3,
    "floor division by a negative": lambda x: torch.div((x * 10).int(), -3, rounding_mode="floor"),
    "truncated division": lambda x: torch.div((x * 10).int(), 3, rounding_mode="trunc"),
    "remainder": lambda x: (x * 10).int() % 3,
    "fmod": lambda x: torch.fmod((x * 10).int(), 3),
    "shift": lambda x: (x * 20).int() >> 1,
    "bytes": lambda x: (x * 50).clamp(0, 255).to(torch.uint8).int(),
    "truth": lambda x: x.bool().int(),
    "argmax": lambda x: x.argmax(1),
}
REAL: Operators = {
    "floor division": lambda x: x * 7 // 2,
    "remainder by a negative": lambda x: torch.remainder(x * 7, -2.5),
    "fmod": lambda x: torch.fmod(x * 7, 2.5),
    "rounding": lambda x: torch.round(x * 2.5),
    "truncation": lambda x: torch.trunc(x * 3) + torch.ceil(x * 5) + torch.frac(x),
    "sign": lambda x: torch.sign(x) + torch.copysign(x.flip(-1), x),
    "angles": lambda x: torch.atan2(x, x.flip(-1)),
    "powers": lambda x: torch.pow(x, 3) + torch.pow(x.abs() + 0.5, -2),
    "clamping": lambda x: x.clamp_min(0.2) + F.hardtanh(x, -0.3, 0.7) + F.relu6(x * 3),
    "steps": lambda x: torch.heaviside(x, torch.tensor(0.5)) + F.threshold(x, 0.1, -5),
    "choice": lambda x: torch.where(x < 0, -x * 2, x),
    "softplus": lambda x: F.softplus(x * 9, beta=2, threshold=5),
    "logsigmoid": lambda x: F.logsigmoid(x * 30),
    "celu, elu, selu": lambda x: F.celu(x, 0.5) + F.elu(x, 2.0) + F.selu(x),
    "shrinking": lambda x: F.hardshrink(x) + F.softshrink(x),
    "mish and silu": lambda x: F.mish(x * 5) + F.silu(x * 5),
    "hard activations": lambda x: F.hardswish(x * 3) + F.hardsigmoid(x * 3),
    "gelu": lambda x: F.gelu(x) + F.gelu(x, approximate="tanh"),
    "negative slopes": lambda x: F.leaky_relu(x, -0.3) + F.prelu(x, torch.tensor([2.0, -0.5, 0.1])),
    "log of sums": lambda x: torch.logsumexp(x * 40, 1, keepdim=True),
    "norm of pixels": lambda x: x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8),
    "deviation": lambda x: x / x.std((2, 3), keepdim=True),
    "sums": lambda x: x.cumsum(-1),
    "median": lambda x: x.median(1, keepdim=True).values,
    "rolling": lambda x: x.roll((1, -3), (2, 3)),
    "pools": lambda x: (
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True) + F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False)
    ),
    "sampling, reflected": lambda x: F.grid_sample(x, _grid(x), padding_mode="reflection", align_corners=False),
    "sampling, bicubic": lambda x: F.grid_sample(x, _grid(x), "bicubic", "border", align_corners=True),
}


def _grid(x: Tensor) -> Tensor:
    return x[:, :2].permute(0, 2, 3, 1)


class Every(nn.Module):
    """The outputs of all operators, each with a term of the enlarged input, so that all have one shape law."""

    def __init__(self, operators: Operators) -> None:
        super().__init__()
        self.operators = operators

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(operator(x).float() for operator in self.operators.values())


@pytest.mark.parametrize("operators", [WHOLE, REAL], ids=["whole numbers", "real numbers"])
def test_a_graph_holds_beyond_the_values_and_sizes_of_the_example(operators: Operators) -> None:
    module = Every(operators)
    axes = [InputAxis(index, SizeLaw(scale=1), free=True) for index in (2, 3)]
    model = capture(module, "every", (np.random.default_rng(0).random((1, 3, 16, 16), np.float32),), axes)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    torch.manual_seed(0)
    wrong = []
    for x in (torch.rand(1, 3, 16, 16), torch.randn(1, 3, 17, 14) * 3, torch.randn(2, 3, 40, 23) * 30):
        got = session.run(None, {"image": x.numpy()})
        for name, output, expected in zip(operators, got, module(x), strict=True):
            assert np.isfinite(output).all(), name
            error = np.abs(output - expected.numpy()).max() / (np.abs(expected.numpy()).max() + 1e-9)
            if error > 1e-4:
                wrong.append(f"{name} at {float(x.abs().max()):.0f}: {error:.1e}")
    assert not wrong
