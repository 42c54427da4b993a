"""Traceable replacements for code of some community networks that torch's exporter cannot trace.

Each replacement computes the same function.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MASKED = -100.0
"""The value that Swin Transformers add to the attention between pixels of different windows."""


def make_traceable(network: nn.Module) -> None:
    """Replace, in place, the parts of a network that torch's exporter crashes on or captures wrongly."""
    for part in network.modules():
        if callable(getattr(part, "update_params", None)) and hasattr(part, "eval_conv"):
            _fuse_once(part)
        if callable(getattr(part, "calculate_mask", None)) and hasattr(part, "shift_size"):
            _mask_by_comparison(part)
            _batch_by_shape(part)


def _fuse_once(part: nn.Module) -> None:
    """Merge the branches once. The part merges them in each call, and assigning weights crashes the exporter."""
    with torch.no_grad():
        part.update_params()  # type: ignore[operator]
    part.update_params = _nothing  # type: ignore[assignment]


def _nothing() -> None:
    pass


def _mask_by_comparison(part: nn.Module) -> None:
    """Compute the mask by comparison. The part assigns to slices, which the exporter captures for one size only."""
    try:
        window, shift = int(part.window_size), int(part.shift_size)  # type: ignore[arg-type]
        mask = shifted_window_mask(window, shift)
        same = torch.equal(mask((2 * window, 3 * window)), part.calculate_mask((2 * window, 3 * window)))  # type: ignore[operator]
    except Exception:  # another architecture uses the same name for something else
        return
    if same:
        part.calculate_mask = mask  # type: ignore[assignment]


def _batch_by_shape(part: nn.Module) -> None:
    """Derive the batch from the shape. The part computes it in floating point, which tracing makes a constant."""
    home: Any = sys.modules.get(type(part).__module__)
    windows = torch.arange(2.0 * 6 * 4 * 5).reshape(12, 2, 2, 5)
    try:
        same = torch.equal(home.window_reverse(windows, 2, 4, 6), window_reverse(windows, 2, 4, 6))
    except Exception:  # another architecture uses the same name for something else
        return
    if same:
        home.window_reverse = window_reverse


def window_reverse(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """Join windows (batch * windows, w, w, C) to images (batch, height, width, C)."""
    channels = windows.shape[-1]
    tiles = windows.view(-1, height // window, width // window, window, window, channels)
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def shifted_window_mask(window: int, shift: int) -> Callable[[tuple[int, int]], Tensor]:
    """Return a function from (height, width) to the attention mask of shifted windows.

    The mask has the shape (windows, w*w, w*w). The picture is divided into three bands along each axis, and pixels attend
    to each other only within the same bands (Liu et al., Swin Transformer, 2021, section 3.2).
    """

    def mask(size: tuple[int, int]) -> Tensor:
        rows, columns = (_band(length, window, shift) for length in size)
        bands = 3 * rows[:, None] + columns[None, :]
        tiles = bands.view(size[0] // window, window, size[1] // window, window).permute(0, 2, 1, 3)
        flat = tiles.reshape(-1, window * window)
        return (flat[:, None, :] != flat[:, :, None]).float() * MASKED

    return mask


def _band(length: int, window: int, shift: int) -> Tensor:
    index = torch.arange(length)
    if not shift:
        return torch.zeros_like(index)
    return (index >= length - window).long() + (index >= length - shift).long()
