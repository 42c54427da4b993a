"""The cost of a decoder on any machine: parameters and floating-point operations."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(p.numel() for p in module.parameters())


def gflops(module: nn.Module, side_px: int) -> float:
    """Return the floating-point operations for one picture, (1, 3, side, side), in billions.

    A multiply-add counts as two. torch's counter counts the products of convolutions and of transposed convolutions.
    Interpolation, activations and shuffling count as zero; the measured times include them.
    """
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(torch.zeros(1, 3, side_px, side_px))
    return float(counter.get_total_flops()) / 1e9
