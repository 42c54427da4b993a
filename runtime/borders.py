"""Resampling of pictures that continue beyond their border."""

from __future__ import annotations

import math

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.canvas import new_canvas
from upconv.runtime.options import BorderChoice
from upconv.runtime.picture import Samples
from upconv.runtime.resampling import resize, to_image, to_samples
from upconv.runtime.spool import part
from upconv.runtime.tiling_axis import FILLS, block_of, span_pixels

_REACH_PX = 4
"""Pixels of the smaller picture that any kernel of `resize` reaches to each side."""
_MOST_TRIED = 256
_ROWS = 256
"""The number of rows that are extended at once."""


def resized(
    samples: Samples,
    width: int,
    height: int,
    border: BorderChoice | None,
    *,
    kernel: str = "lanczos3",
    channels: int | None = None,
    cancellation: Cancellation | None = None,
) -> Samples:
    """Return samples (H, W, C) resampled to `width` x `height`, as a part of a picture that continues beyond its border.

    If no border is given, this is `resize`, whose arguments and errors are the same.
    """
    if border is None:
        return resize(samples, width, height, kernel, channels, cancellation)
    (across, left), (down, top) = _margins(samples.shape[1], width), _margins(samples.shape[0], height)
    wide = extended(samples, down, across, border)
    whole = resize(wide, width + 2 * left, height + 2 * top, kernel, channels, cancellation)
    return to_samples(to_image(whole).crop(left, top, width, height), cancellation)


def extended(samples: Samples, rows: int, columns: int, border: BorderChoice) -> Samples:
    """Return samples (H + 2 * `rows`, W + 2 * `columns`, C), which the border fills beyond those of (H, W, C).

    Raises `OutputError` if they are large and the disk has no room.
    """
    height, width, channels = samples.shape
    canvas = new_canvas((height + 2 * rows, width + 2 * columns, channels), samples.dtype)
    across = span_pixels(-columns, width + columns, width, FILLS[border])
    for top in range(-rows, height + rows, _ROWS):
        down = span_pixels(top, min(top + _ROWS, height + rows), height, FILLS[border])
        block: Samples = block_of(down, across, lambda *sides: part(samples, *sides), 0)
        canvas.write(top + rows, 0, block)
    return canvas.samples()


def _margins(length: int, result: int) -> tuple[int, int]:
    """Return the pixels to add before and after an axis, and those that they become in the result.

    Of the possible margins it is the one that becomes most nearly a whole number of pixels, so that the picture does not move.
    """
    least = math.ceil(_REACH_PX * max(1, length / result))
    margin = min(range(least, least + _MOST_TRIED), key=lambda px: abs(px * result / length - round(px * result / length)))
    return margin, round(margin * result / length)
