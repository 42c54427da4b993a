"""The positions of the windows of convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.rounding import ceil_div

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Windows:
    """The attributes that Conv, ConvTranspose and the pools share, defaults included."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    """Padding before each axis."""
    after: tuple[int, ...]
    """Padding after each axis."""

    @property
    def extent(self) -> tuple[int, ...]:
        """The length of a window along each axis, dilation included."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def cut(self, padded: Array) -> Array:
        """Return a view of all windows of a padded (N, C, ...) array, as (N, C, positions..., kernel...)."""
        axes = tuple(range(2, padded.ndim))
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.extent, axis=axes)
        positions = tuple(slice(None, None, stride) for stride in self.strides)
        taps = tuple(slice(None, None, dilation) for dilation in self.dilations)
        cut: Array = windows[(slice(None), slice(None), *positions, *taps)]
        return cut


def windows(
    lengths: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str | None,
) -> Windows:
    """Return the windows over an input of these lengths, with defaults for what is `None`.

    With `auto_pad` `SAME_UPPER` or `SAME_LOWER` the output length is ceil(input / stride).
    """
    count = len(kernel)
    ones = (1,) * count
    found = Windows(tuple(kernel), tuple(strides or ones), tuple(dilations or ones), (0,) * count, (0,) * count)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (ceil_div(n, stride) - 1) * stride + extent - n)
            for n, stride, extent in zip(lengths, found.strides, found.extent, strict=True)
        ]
        pads = split_padding(totals, auto_pad)
    elif auto_pad == "VALID" or not pads:
        pads = (0,) * (2 * count)
    return Windows(found.kernel, found.strides, found.dilations, tuple(pads[:count]), tuple(pads[count:]))


def split_padding(totals: Sequence[int], auto_pad: str) -> tuple[int, ...]:
    """Return the padding before all axes, then after all axes.

    An odd total puts the extra pixel after for `SAME_UPPER`, before for `SAME_LOWER`.
    """
    less, more = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return (*less, *more) if auto_pad == "SAME_UPPER" else (*more, *less)


def padded(array: Array, before: Sequence[int], after: Sequence[int], value: float = 0.0) -> Array:
    """Return an (N, C, ...) array with a border of `value`. Negative widths crop."""
    widths = [(max(0, b), max(0, a)) for b, a in zip(before, after, strict=True)]
    wider = np.pad(array, [(0, 0), (0, 0), *widths], constant_values=value)
    kept = (slice(max(0, -b), n - max(0, -a)) for b, a, n in zip(before, after, wider.shape[2:], strict=True))
    return wider[(slice(None), slice(None), *kept)]
