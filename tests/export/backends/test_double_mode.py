from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from upconv.export.backends.torch_module import TorchBackend


class Casting(nn.Module):
    """A convolution around which some code names a type."""

    def __init__(self, code: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.code = code

    def forward(self, x: Tensor) -> Tensor:
        return self.code(self.conv, x)


def autocast(conv: nn.Module, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made: Tensor = conv(x).float()
    return made


def checked(conv: nn.Module, x: Tensor) -> Tensor:
    assert x.dtype == torch.float32
    made: Tensor = conv(x.masked_fill(x > 0.5, torch.finfo(x.dtype).min).softmax(1))
    return made


def doubled(conv: nn.Module, x: Tensor) -> Tensor:
    assert x.double().dtype == torch.float64
    made: Tensor = conv(x)
    return made


@pytest.mark.parametrize(
    "code",
    [
        lambda conv, x: conv(x.float()),
        lambda conv, x: conv(x.to(torch.float32)),
        lambda conv, x: conv(x.type(torch.float32)),
        lambda conv, x: conv(x + torch.zeros(3, 8, 8, dtype=torch.float32)),
        lambda conv, x: conv(torch.zeros(1, 3, 8, 8, dtype=torch.float32).copy_(x)),
        lambda conv, x: conv(F.softmax(x, 1, dtype=torch.float32)),
        lambda conv, x: conv(x + torch.linspace(0, 1, 8)),
        lambda conv, x: F.conv2d(x, torch.from_numpy(np.ones((3, 3, 1, 1), np.float32))),
        lambda conv, x: conv(x).half().float(),
        autocast,
        checked,
        doubled,
    ],
)
def test_code_that_names_a_type_computes_in_float64(code: Callable[[nn.Module, Tensor], Tensor]) -> None:
    module, x = Casting(code), np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    exact, rounded = (TorchBackend(module, kind).run([x])[0] for kind in (torch.float64, torch.float32))
    assert exact.dtype == np.float64
    assert np.abs(exact - exact.astype(np.float32)).max() > 0  # more digits than float32 has
    np.testing.assert_allclose(exact, rounded, atol=5e-3)


def test_the_default_type_is_restored() -> None:
    TorchBackend(nn.Identity(), torch.float64).run([np.ones(1, np.float32)])
    assert torch.get_default_dtype() == torch.float32
