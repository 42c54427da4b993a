"""Plans of equal tiles: which pixels go in together, and which of the result to keep.

Along an axis of `n` pixels with tiles of `t`, an inner tile's result is right except where its missing surroundings
reach: `halo` input pixels at either end. The first and the last tile lie at the picture's true border, where the
network sees what it would see in the whole picture, so there nothing is lost. The last tile is moved inwards, not
padded. Every tile has the same shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from upconv.runtime.contract import Contract, Halo, HaloDeviation, SizeLaw
from upconv.runtime.errors import ModelError
from upconv.runtime.rounding import ceil_div, round_down, round_up
from upconv.runtime.session import Tensor

STEP_PX = 8
"""Sides of tiles are multiples of this, where they are not the largest allowed."""

MAX_ASPECT = 2
"""How far a tile's sides may be from those of the square."""

UNBOUNDED_PX = 1_000_000
"""A side that no tile reaches."""

MAX_WASTE = 1.5
"""Pixels that an exact halo may cost per pixel that is kept; beyond it a smaller one does, where one is good enough."""

MAX_STEPS = 0.5
"""What "good enough" is: the largest measured deviation of a smaller halo, in 8-bit steps."""


@dataclass(frozen=True)
class TileSpan:
    """A tile along one axis."""

    start: int
    """First input pixel of the tile."""
    stop: int
    """One beyond the last."""
    keep_start: int
    """First input pixel whose result is kept."""
    keep_stop: int

    @property
    def length(self) -> int:
        """Input pixels."""
        return self.stop - self.start


@dataclass(frozen=True)
class Tile:
    """A tile of a picture."""

    rows: TileSpan
    columns: TileSpan

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in input pixels."""
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        """Input pixels, which is what computing it costs."""
        return self.rows.length * self.columns.length


@dataclass(frozen=True)
class TilingAxis:
    """What can be cut along one axis of a picture."""

    length: int
    """The picture, in input pixels."""
    padded: int
    """The same after padding to the model's multiple and minimum."""
    multiple: int
    smallest: int
    """The shortest input that the model takes."""
    halo: tuple[int, int] | None
    """Input pixels before and after a tile, rounded up to the multiple; none where the whole axis is needed."""

    @classmethod
    def of(cls, length: int, law: SizeLaw, halo: tuple[int, int] | None) -> TilingAxis:
        """The axis of a picture that is `length` long, for a model with this law."""
        # A model that needs a multiple may treat pixels differently by their place in it, so tiles start on multiples.
        aligned = None if halo is None else (round_up(halo[0], law.multiple), round_up(halo[1], law.multiple))
        return cls(length, law.fitted(length), law.multiple, law.fitted(0), aligned)

    def side(self, tile_px: int, most_px: int) -> int:
        """The length of equal spans of at most `tile_px`, the shortest with which as few of them suffice.

        It is longer where the model's minimum asks for it, or, as far as `most_px` allows, a wide halo.
        """
        if self.halo is None:
            return self.padded
        # With less than a third of a tile's sides to keep, a wide halo would be computed over and over.
        wide = round_down(min(3 * self._overlap, max(most_px, 3 * self._overlap // 2)), self.multiple)
        smallest = max(self.smallest, wide, self._overlap + self.multiple)
        side = max(round_down(tile_px, self.multiple), smallest)
        return self.padded if self.padded <= side else max(smallest, self._fitted(side))

    def count(self, side: int) -> int:
        """How many spans of this length there are."""
        return 1 if side >= self.padded else ceil_div(self.padded - self._overlap, side - self._overlap)

    def spans(self, side: int) -> list[TileSpan]:
        """Equal spans of this length."""
        return [TileSpan(0, self.padded, 0, self.padded)] if side >= self.padded else list(self._overlapping(side))

    def halves(self, span: TileSpan) -> tuple[TileSpan, ...]:
        """Two spans that keep what this one keeps; none where it is too short to be cut."""
        if self.halo is None or span.keep_stop - span.keep_start < 2 * self.multiple:
            return ()
        middle = span.keep_start + round_up((span.keep_stop - span.keep_start) // 2, self.multiple)
        return self._around(span.keep_start, middle), self._around(middle, span.keep_stop)

    def _around(self, keep_start: int, keep_stop: int) -> TileSpan:
        assert self.halo is not None
        start, stop = max(keep_start - self.halo[0], 0), min(keep_stop + self.halo[1], self.padded)
        stop = min(max(stop, start + self.smallest), self.padded)
        return TileSpan(max(min(start, stop - self.smallest), 0), stop, keep_start, keep_stop)

    @property
    def _overlap(self) -> int:
        return sum(self.halo or ())

    def _fitted(self, side: int) -> int:
        """The shortest span with which as few suffice as with `side`; in steps, so that pictures share shapes."""
        count = self.count(side)
        fitted = ceil_div(self.padded + (count - 1) * self._overlap, count)
        return min(side, round_up(fitted, math.lcm(self.multiple, STEP_PX)))

    def _overlapping(self, side: int) -> Iterator[TileSpan]:
        assert self.halo is not None
        before, after = self.halo
        done = 0
        while done < self.padded:
            start = min(max(done - before, 0), self.padded - side)
            stop = start + side
            keep_stop = self.padded if stop == self.padded else stop - after
            yield TileSpan(start, stop, done, keep_stop)
            done = keep_stop


@dataclass(frozen=True)
class TilingPlan:
    """How one picture is cut and put together again."""

    rows: TilingAxis
    columns: TilingAxis
    scale: int
    tiles: tuple[Tile, ...]
    deviation: HaloDeviation | None = None
    """What the tiles differ by from the whole, where their halo is smaller than the exact one."""

    @property
    def height(self) -> int:
        """The picture's, in input pixels."""
        return self.rows.length

    @property
    def width(self) -> int:
        """The picture's, in input pixels."""
        return self.columns.length

    @property
    def computed_px(self) -> int:
        """Input pixels of all tiles."""
        return sum(tile.area for tile in self.tiles)

    @property
    def waste(self) -> float:
        """Pixels that are computed per pixel that is kept."""
        return self.computed_px / (self.height * self.width)

    def pad(self, planes: Tensor, tile: Tile) -> Tensor:
        """What the picture has of a tile, (C, h, w), with its last row and column repeated up to the tile's shape."""
        below, right = tile.rows.length - planes.shape[1], tile.columns.length - planes.shape[2]
        return np.pad(planes, ((0, 0), (0, below), (0, right)), mode="edge") if below or right else planes

    def kept(self, tile: Tile, planes: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """What is to be kept of a tile's output, (C, scale*h, scale*w), and the row and column where it belongs."""
        top, bottom, above = self._place(tile.rows, self.height)
        left, right, before = self._place(tile.columns, self.width)
        return planes[:, top - above : bottom - above, left - before : right - before], (top, left)

    def halves(self, tile: Tile) -> tuple[Tile, ...]:
        """Smaller tiles that keep what this one keeps; none where there are none much smaller."""
        along_rows = tuple(Tile(rows, tile.columns) for rows in self.rows.halves(tile.rows))
        along_columns = tuple(Tile(tile.rows, columns) for columns in self.columns.halves(tile.columns))
        ways = [way for way in (along_rows, along_columns) if way and max(half.area for half in way) < 0.9 * tile.area]
        return min(ways, key=lambda way: max(half.area for half in way), default=())

    def _place(self, span: TileSpan, length: int) -> tuple[int, int, int]:
        stop = min(span.keep_stop, length)
        return span.keep_start * self.scale, stop * self.scale, span.start * self.scale


def plan_tiles(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo], int],
    *,
    exact: bool = False,
    most_px: int = UNBOUNDED_PX,
) -> TilingPlan:
    """Tiles of the area of `tile_px` squared at most, in input pixels, halo included, for a picture of `height` by `width`.

    Among their shapes, the one is taken with which least is computed twice. A wide halo asks for larger tiles, up to
    `most_px` a side. Where the exact one costs more than `MAX_WASTE`, or tiles beyond that, the smallest is taken that
    differs by at most `MAX_STEPS`, unless `exact`.

    A model without a finite halo gets one tile: the whole picture.
    """
    halo = contract.halo if isinstance(contract.halo, Halo) else None
    whole = _plan(height, width, contract, tile_px, most_px, halo, None)
    fits = whole.tiles[0].area <= most_px**2
    if exact or halo is None or (whole.waste <= MAX_WASTE and fits):
        return whole
    for deviation in contract.halo_deviation:
        if deviation.steps <= MAX_STEPS:
            side = deviation.halo_px
            smaller = Halo(**{name: min(px, side) for name, px in halo.model_dump().items()})
            other = _plan(height, width, contract, tile_px, most_px, smaller, deviation)
            return min(whole, other, key=lambda plan: plan.computed_px) if fits else other
    return whole


def _plan(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo], int],
    most_px: int,
    halo: Halo | None,
    deviation: HaloDeviation | None,
) -> TilingPlan:
    laws, scale = (contract.height, contract.width), contract.scale
    assert laws[0] is not None and laws[1] is not None  # or contract.scale would have raised
    if laws[0].offset or laws[1].offset:
        raise ModelError(
            f"{contract.name} adds {laws[0].offset} and {laws[1].offset} pixels to its output; pictures need an offset of 0"
        )
    rows = TilingAxis.of(height, laws[0], None if halo is None else (halo.top, halo.bottom))
    columns = TilingAxis.of(width, laws[1], None if halo is None else (halo.left, halo.right))
    side = tile_px if isinstance(tile_px, int) else 1 if halo is None else tile_px(halo)
    tall, wide = _sides(rows, columns, side, most_px)
    tiles = tuple(Tile(*spans) for spans in product(rows.spans(tall), columns.spans(wide)))
    return TilingPlan(rows, columns, scale, tiles, deviation)


def _sides(rows: TilingAxis, columns: TilingAxis, side: int, most_px: int) -> tuple[int, int]:
    """Height and width of tiles that cost no more than a square of `side` each, and least in all; then the fewest."""

    def cost(shape: tuple[int, int]) -> tuple[int, int, int]:
        count = rows.count(shape[0]) * columns.count(shape[1])
        return count * shape[0] * shape[1], count, abs(shape[0] - shape[1])

    limits = {side, *range(side // MAX_ASPECT + 1, MAX_ASPECT * side + 1, STEP_PX)}
    talls = {rows.side(limit, most_px) for limit in limits}
    shapes = {(tall, columns.side(min(side * side // tall, MAX_ASPECT * side), most_px)) for tall in talls}
    return min(shapes, key=cost)
