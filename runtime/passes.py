"""The passes of a picture through a model, and the tiles in them. Admission, progress and the engine count by these.

A pass multiplies the size by the model's own scale. Passes follow each other until the result is covered; an exact
resampling then reduces the last one to the result's size. Opacity that has a shape is a second layer, which goes through
the same passes as the colour.
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
    """The tiles of each pass, for one layer. Empty if the result is as large as the picture."""
    layers: int = 1
    """How often each pass is computed: once for the colour, and once more for opacity that has a shape."""

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
        """The number of pixels of the largest picture on the way: the last pass's output, or the picture itself."""
        return max([self.width * self.height, *(_output_px(plan) for plan in self.plans)])


def plan_passes(
    plan: Callable[[int, int], TilingPlan], native_scale: int, width: int, height: int, options: UpscaleOptions, layers: int = 1
) -> Passes:
    """Return the passes of a picture of `width` x `height` pixels.

    `plan(height, width)` returns the tiles of one pass, as `Engine.plan` does. Raises `ParameterError` if the options ask
    for an impossible size, and `ImageTooLargeError` if the result or a pass has more pixels than the options allow.
    """
    across, down = options.output_size(width, height, native_scale)
    _check_pixels(across, down, options, "the result")
    plans: list[TilingPlan] = []
    w, h = width, height
    while w < across or h < down:
        _check_pixels(w * native_scale, h * native_scale, options, f"on the way to {across}x{down} the picture")
        plans.append(plan(h, w))
        w, h = w * native_scale, h * native_scale
    return Passes(width, height, (across, down), tuple(plans), layers)


def count_layers(picture: Picture) -> int:
    """Return 2 if the picture's opacity has a shape, which the model computes like a colour, and 1 otherwise."""
    alpha = picture.alpha
    return 1 if alpha is None or bool((alpha == alpha[0, 0, 0]).all()) else 2


class TileCount:
    """A count of finished tiles, over all passes, layers and frames. Any thread may call it, once per tile."""

    def __init__(self, total: int, on_tile: OnTile | None) -> None:
        """`on_tile(done, total)` is called after each tile."""
        self.done = 0
        self.total = total
        self._on_tile = on_tile
        self._lock = threading.Lock()

    def __call__(self, *_: int) -> None:
        """Count a tile; its number within one pass, which the engine gives, is ignored."""
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
