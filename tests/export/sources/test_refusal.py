from __future__ import annotations

from torch import nn

from upconv.export.sources import from_module
from upconv.export.sources.refusal import refusal


def test_the_refusal_of_an_example_is_what_forward_raised() -> None:
    assert refusal(from_module(nn.Conv2d(3, 3, 1), shape=(1, 4, 8, 8))).startswith("RuntimeError: Given groups=1")
    assert refusal(from_module(nn.Upsample(scale_factor=2), shape=(0, 3, 8, 8))) == "its output is empty"
