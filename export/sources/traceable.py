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
            if isinstance(getattr(part, "split_size", None), (list, tuple)):
                _rectangular_masks_by_comparison(part)
            else:
                _mask_by_comparison(part)
    for home in {type(part).__module__ for part in network.modules()}:
        _batch_by_shape(sys.modules.get(home))


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


def _rectangular_masks_by_comparison(part: nn.Module) -> None:
    """Compute both masks by comparison: windows of a x b pixels in one half of the channels, and of b x a in the other."""
    try:
        window, shift = tuple(part.split_size), tuple(part.shift_size)  # type: ignore[arg-type]
        size = 2 * max(window), 3 * max(window)
        masks = rectangular_window_masks(window, shift)
        same = all(map(torch.equal, masks(*size), part.calculate_mask(*size)))  # type: ignore[operator]
    except Exception:  # another architecture uses the same name for something else
        return
    if same:
        part.calculate_mask = masks  # type: ignore[assignment]


def _batch_by_shape(home: Any) -> None:
    """Derive the batch from the shape. A module's function computes it in floating point, which tracing makes a constant."""
    windows = torch.arange(2.0 * 6 * 4 * 5).reshape(12, 2, 2, 5)
    for name, own, given in (
        ("window_reverse", window_reverse, (windows, 2, 4, 6)),
        ("windows2img", windows_to_images, (windows.flatten(1, 2), 1, 4, 2, 12)),
    ):
        if _equal(getattr(home, name, None), own, given):
            setattr(home, name, own)


def _equal(theirs: Any, own: Callable[..., Tensor], given: tuple[Any, ...]) -> bool:
    try:
        return torch.equal(theirs(*given), own(*given))
    except Exception:  # there is no such function, or it does something else
        return False


def window_reverse(windows: Tensor, window: int, height: int, width: int) -> Tensor:
    """Join windows (batch * windows, w, w, C) to images (batch, height, width, C)."""
    return windows_to_images(windows, window, window, height, width)


def windows_to_images(windows: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Join windows (batch * windows, …, C) of rows * columns pixels to images (batch, height, width, C)."""
    channels = windows.shape[-1]
    tiles = windows.view(-1, height // rows, width // columns, rows, columns, channels)
    return tiles.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, channels)


def shifted_window_mask(window: int, shift: int) -> Callable[[tuple[int, int]], Tensor]:
    """Return a function from (height, width) to the attention mask of shifted windows.

    The mask has the shape (windows, w*w, w*w). The picture is divided into three bands along each axis, and pixels attend
    to each other only within the same bands (Liu et al., Swin Transformer, 2021, section 3.2).
    """

    return lambda size: _mask(size, (window, window), (shift, shift))


def rectangular_window_masks(window: tuple[int, ...], shift: tuple[int, ...]) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return a function from height and width to the masks of shifted a x b windows and of shifted b x a windows."""

    def masks(height: int, width: int, dtype: torch.dtype | None = None) -> tuple[Tensor, Tensor]:
        kind = dtype or torch.get_default_dtype()
        lying, standing = (_mask((height, width), window[::step], shift[::step]).to(kind) for step in (1, -1))
        return lying, standing

    return masks


def _mask(size: tuple[int, int], window: tuple[int, ...], shift: tuple[int, ...]) -> Tensor:
    rows, columns = (_band(*axis) for axis in zip(size, window, shift, strict=True))
    bands = 3 * rows[:, None] + columns[None, :]
    tiles = bands.view(size[0] // window[0], window[0], size[1] // window[1], window[1]).permute(0, 2, 1, 3)
    flat = tiles.reshape(-1, window[0] * window[1])
    return (flat[:, None, :] != flat[:, :, None]).float() * MASKED


def _band(length: int, window: int, shift: int) -> Tensor:
    index = torch.arange(length)
    if not shift:
        return torch.zeros_like(index)
    return (index >= length - window).long() + (index >= length - shift).long()
