"""The passes of a picture through a model, and their tiles.

A pass multiplies the size by the model's own scale. Passes repeat until the output is at least as large as the result;
one resampling then reduces it to the exact size. Opacity that is not uniform is a second layer, which takes the same
passes as the colour. Admission, progress and the engine all count these passes and tiles.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.options import UpscaleOptions
from upconv.runtime.picture import Picture
from upconv.runtime.schedule import OnTile
from upconv.runtime.tiling import TilingPlan


@dataclass(frozen=True)
class Passes:
    """The passes of one picture."""

    width: int
    """Width of the picture in pixels."""
    height: int
    """Height of the picture in pixels."""
    output_size: tuple[int, int]
    """Width and height of the result in pixels."""
    plans: tuple[TilingPlan, ...]
    """The tiling plan of each pass, for one layer. Empty if the result is as large as the picture."""
    layers: int = 1
    """The number of times that each pass is computed: 1 for the colour, 2 with opacity that is not uniform."""

    @property
    def tiles(self) -> int:
        """The number of tiles in all passes of all layers."""
        return self.layers * sum(len(plan.tiles) for plan in self.plans)

    @property
    def computed_px(self) -> int:
        """The number of input pixels that the model computes, halos included."""
        return self.layers * sum(plan.computed_px for plan in self.plans)

    @property
    def largest_px(self) -> int:
        """The number of pixels of the last pass's output, or of the picture if there is no pass."""
        return max([self.width * self.height, *(_output_px(plan) for plan in self.plans)])


def plan_passes(
    plan: Callable[[int, int], TilingPlan], native_scale: int, width: int, height: int, options: UpscaleOptions, layers: int = 1
) -> Passes:
    """Return the passes of a picture of `width` x `height` pixels.

    `plan(height, width)` returns the tiles of one pass, as `Engine.plan` does. A model of scale 1 takes exactly one pass. Raises `ParameterError` if the options
    have an impossible size, and `ImageTooLargeError` if the result or a pass has more pixels than the options allow.
    """
    across, down = options.output_size(width, height, native_scale)
    _check_pixels(across, down, options, "the result")
    plans: list[TilingPlan] = []
    w, h = width, height
    while w < across or h < down or (native_scale == 1 and not plans):
        _check_pixels(w * native_scale, h * native_scale, options, f"before it is reduced to {across}x{down}, the picture")
        plans.append(plan(h, w))
        w, h = w * native_scale, h * native_scale
    return Passes(width, height, (across, down), tuple(plans), layers)


def count_layers(picture: Picture) -> int:
    """Return 2 if the picture has opacity that is not uniform, and 1 otherwise."""
    alpha = picture.alpha
    return 1 if alpha is None or bool((alpha == alpha[0, 0, 0]).all()) else 2


class TileCount:
    """A counter of finished tiles over all passes, layers and frames.

    Any thread may call it, once per tile.
    """

    def __init__(self, total: int, on_tile: OnTile | None) -> None:
        """Start at 0 of `total`. After each tile, `on_tile(done, total)` is called."""
        self.done = 0
        self.total = total
        self._on_tile = on_tile
        self._lock = threading.Lock()

    def __call__(self, *_: int) -> None:
        """Count a tile. The engine's arguments count within one pass, so they are ignored."""
        with self._lock:
            self.done += 1
            done = self.done
        if self._on_tile is not None:
            self._on_tile(done, self.total)


def _output_px(plan: TilingPlan) -> int:
    return plan.width * plan.scale * plan.height * plan.scale


def _check_pixels(width: int, height: int, options: UpscaleOptions, what: str) -> None:
    most = options.max_output_pixels
    if most is not None and width * height > most:
        raise ImageTooLargeError(f"{what} would have {width}x{height} pixels; at most {most} are allowed")
