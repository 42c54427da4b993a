from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from upconv.export.sources.flat_outputs import FlatOutputs, with_flat_outputs


@dataclass
class Result:
    sample: Tensor


class Wrapped(nn.Module):
    def forward(self, latent: Tensor) -> Result:
        return Result(latent)


def test_an_object_becomes_its_tensors() -> None:
    module, x = Wrapped(), torch.ones(1)
    flat = with_flat_outputs(module, module(x))
    assert isinstance(flat, FlatOutputs)
    assert flat.input_names == ["latent"]
    assert flat(x) is x


def test_tensors_alone_need_no_wrapper() -> None:
    module = nn.Identity()
    assert with_flat_outputs(module, (torch.ones(1),)) is module
