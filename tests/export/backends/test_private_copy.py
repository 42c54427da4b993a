from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from upconv.export.backends.private_copy import private_copy
from upconv.runtime.errors import SourceError


class Keeping(nn.Module):
    """A module with a lock, a hook that refers to it, and its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ConvTranspose2d(3, 3, 4, 2, 1)
        self.lock = threading.Lock()
        self.last: Tensor | None = None
        self.layer.register_forward_hook(lambda _, __, output: setattr(self, "last", output))

    def forward(self, x: Tensor) -> Tensor:
        self.layer(x)
        assert self.last is not None
        return self.last


@pytest.mark.filterwarnings("ignore:.*weight_norm")
def test_computed_weights_are_copied() -> None:
    module = nn.utils.weight_norm(nn.Conv2d(3, 8, 3))
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(private_copy(module, torch.float32)(x), module(x))


def test_hooks_of_the_copy_refer_to_the_copy_and_locks_are_shared() -> None:
    module = Keeping()
    module(torch.rand(1, 3, 4, 4))
    before = module.last
    copied = private_copy(module, torch.float64)
    assert copied(torch.rand(1, 3, 4, 4, dtype=torch.float64)).dtype == torch.float64
    assert module.last is before
    assert vars(copied)["lock"] is module.lock


def test_the_module_keeps_its_type_and_modes() -> None:
    module = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Dropout()).bfloat16().train()
    module[1].eval()
    copied = private_copy(module, torch.float32)
    assert [part.training for part in module.modules()] == [True, True, False]
    assert {weight.dtype for weight in module.parameters()} == {torch.bfloat16}
    assert not any(part.training for part in copied.modules())
    assert {weight.dtype for weight in copied.parameters()} == {torch.float32}


def test_weights_without_values_are_refused() -> None:
    with pytest.raises(SourceError, match="meta device"):
        private_copy(nn.Linear(2, 2, device="meta"), torch.float32)


def test_a_lazy_copy_takes_its_own_memory_when_either_module_writes() -> None:
    module = nn.Conv2d(3, 3, 3)
    before = module.weight.detach().clone()
    first, second = (private_copy(module, torch.float32, lazy=True) for _ in range(2))
    assert isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d)
    assert torch._C._is_cow_tensor(first.weight)  # type: ignore[attr-defined]
    with torch.no_grad():
        first.weight.zero_()
        module.weight.add_(1)
    assert not first.weight.any()
    assert torch.equal(second.weight, before)
    assert torch.equal(module.weight, before + 1)


def test_a_lazy_copy_of_memory_that_is_not_of_torch_is_a_plain_one() -> None:
    array = np.ones((2, 2), np.float32)
    module = nn.Linear(2, 2)
    module.weight.data = torch.from_numpy(array)
    copy = private_copy(module, torch.float32, lazy=True)
    array[:] = 0
    assert torch.equal(copy.get_parameter("weight"), torch.ones(2, 2))
