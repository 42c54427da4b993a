from __future__ import annotations

import torch
from torch import nn

from upconv.models.training.expansion import expand, folded
from upconv.models.upscalers import CompactUpscaler


def test_an_expanded_module_starts_as_the_same_function() -> None:
    torch.manual_seed(0)
    module, image = CompactUpscaler("subpixel", 2, 8, 2), torch.rand(1, 3, 9, 7)
    before = module(image)
    torch.testing.assert_close(expand(module, 2)(image), before)


def test_the_folded_weights_have_the_effect_of_all_branches() -> None:
    torch.manual_seed(0)
    module, image = expand(CompactUpscaler("subpixel", 2, 8, 2), 2), torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    plain = CompactUpscaler("subpixel", 2, 8, 2)
    names = [name for name, _ in plain.named_parameters()]
    plain.load_state_dict(dict(zip(names, folded(module, names), strict=True)))
    torch.testing.assert_close(plain(image), module(image))


def test_only_convolutions_of_three_by_three_get_branches() -> None:
    module = expand(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3, groups=2)), 3)
    added = [tuple(p.shape) for name, p in module.named_parameters() if "wide" in name]
    assert added == [(12, 3, 3, 3), (12, 2, 3, 3)]
