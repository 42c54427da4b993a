from __future__ import annotations

import pytest
import torch

from upconv.models.layers import UpsampleHead
from upconv.models.training.expansion import expand, folded
from upconv.models.training.folding import FoldedUpsampleHead


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (6, 4)])
def test_the_folded_head_is_the_same_function(scale: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    head = UpsampleHead(5, 3, scale)
    features = torch.randn(2, 5, *size)
    torch.testing.assert_close(FoldedUpsampleHead(head)(features), head(features), rtol=0, atol=2e-6)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_gradients_of_the_folded_head_are_those_of_the_head(scale: int) -> None:
    torch.manual_seed(0)
    head = UpsampleHead(5, 3, scale)
    features = torch.randn(2, 5, 6, 4)
    expected = torch.autograd.grad(head(features).square().sum(), list(head.parameters()))
    found = torch.autograd.grad(FoldedUpsampleHead(head)(features).square().sum(), list(head.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_parameters_keep_their_names_and_take_branches() -> None:
    head = UpsampleHead(5, 3, 2)
    names = [name for name, _ in head.named_parameters()]
    other = FoldedUpsampleHead(head)
    assert [name for name, _ in other.named_parameters()] == names
    assert set(other.state_dict()) == set(head.state_dict())
    expand(other, 2)
    assert [tuple(t.shape) for t in folded(other, names)] == [tuple(p.shape) for p in UpsampleHead(5, 3, 2).parameters()]
    assert len(list(other.parameters())) > len(names)
