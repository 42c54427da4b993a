"""What a decoder costs whatever the machine: parameters and floating-point operations."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """The number of weights."""
    return sum(p.numel() for p in module.parameters())


def gflops(module: nn.Module, side_px: int) -> float:
    """Billions of floating-point operations on one picture, (1, 3, side, side), a multiply-add counted as two.

    As torch's own counter has it: convolutions, transposed ones included, by the products that they sum. Interpolation,
    activations and shuffling count as none; the times hold them.
    """
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        module(torch.zeros(1, 3, side_px, side_px))
    return float(counter.get_total_flops()) / 1e9
