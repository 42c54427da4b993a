"""Tiling plans: the equal tiles of a picture, and the part of each tile's output that is kept.

A model computes an output pixel from the input pixels around it, up to `halo` pixels per side. Each tile is cut with its
halo, and the output of the halo is thrown away. A tile at the border of the picture needs no halo there: the model pads
the tile as it pads the whole picture. The kept parts together equal the output of the whole picture. A model with a
context consumes pixels around the picture: a tile takes them from its neighbours inside the picture, and from the
contract's fill outside.

All tiles of a plan have the same shape. The last tile of an axis is moved inwards, not padded, so it overlaps its
neighbour by more than the halo.

With a border, the picture is extended by the halo on each side, filled as the border says, so that no pixel depends on the
padding of the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from upconv.runtime.contract import Context, Contract, Crop, Halo, HaloDeviation, NoHalo, SizeLaw
from upconv.runtime.errors import ImageTooLargeError, ModelError, ParameterError
from upconv.runtime.options import BorderChoice
from upconv.runtime.session import Tensor
from upconv.runtime.tiling_axis import FILLS, STEP_PX, UNBOUNDED_PX, SpanPixels, Surroundings, TileSpan, TilingAxis

MAX_ASPECT = 2
"""Largest ratio of a tile's side to the side of the square tile with the same area."""

MAX_WASTE = 1.5
"""Largest number of computed pixels per kept pixel with the exact halo. Above it, a smaller halo is used if one is good
enough."""

MAX_STEPS = 0.5
"""Largest measured deviation of a smaller halo that is good enough, in 8-bit steps."""


@dataclass(frozen=True)
class Tile:
    """A rectangle of a picture that the model computes at once."""

    rows: TileSpan
    columns: TileSpan

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in input pixels, halo included."""
        return self.rows.length, self.columns.length

    @property
    def area(self) -> int:
        """The number of input pixels, halo included. The cost of a tile is proportional to it."""
        return self.rows.length * self.columns.length


@dataclass(frozen=True)
class TilingPlan:
    """The equal tiles of one picture."""

    rows: TilingAxis
    columns: TilingAxis
    scale: int
    """Output pixels per input pixel, per side."""
    tiles: tuple[Tile, ...]
    """The tiles, row by row."""
    deviation: HaloDeviation | None = None
    """The measured difference from the whole picture. `None` if the halo is exact."""
    passes: int = 1
    """The number of times that each tile is computed: once per level of statistics, and once for the output."""

    @property
    def height(self) -> int:
        """Height of the picture in input pixels."""
        return self.rows.length

    @property
    def width(self) -> int:
        """Width of the picture in input pixels."""
        return self.columns.length

    @property
    def possible(self) -> bool:
        """True if the model accepts tiles of this plan, and False if the maximum of a size law forbids any."""
        return self.rows.possible and self.columns.possible

    @property
    def computed_px(self) -> int:
        """The number of input pixels of all tiles in all passes, halos included."""
        return self.passes * sum(tile.area for tile in self.tiles)

    @property
    def waste(self) -> float:
        """The number of computed pixels per pixel of the picture, at least 1."""
        return self.computed_px / (self.height * self.width)

    def windows(self, tile: Tile) -> tuple[SpanPixels, SpanPixels]:
        """Return the rows and the columns of the picture that the tile's input consists of."""
        return self.rows.window(tile.rows), self.columns.window(tile.columns)

    def kept(self, tile: Tile, planes: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """Return the kept part of a tile's output and its top row and left column in the result.

        `planes` is the output of the whole tile, (C, scale*h + offset, scale*w + offset).
        """
        first_row, last_row, top = self.rows.place(tile.rows)
        first_column, last_column, left = self.columns.place(tile.columns)
        return planes[:, first_row:last_row, first_column:last_column], (top, left)

    def halves(self, tile: Tile) -> tuple[Tile, ...]:
        """Return two smaller tiles that together keep what `tile` keeps; empty if neither split saves 10 %."""
        along_rows = tuple(Tile(rows, tile.columns) for rows in self.rows.halves(tile.rows))
        along_columns = tuple(Tile(tile.rows, columns) for columns in self.columns.halves(tile.columns))
        splits = [
            split for split in (along_rows, along_columns) if split and max(half.area for half in split) < 0.9 * tile.area
        ]
        return min(splits, key=lambda split: max(half.area for half in split), default=())


def plan_tiles(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo | None], int],
    *,
    exact: bool = False,
    most_px: int = UNBOUNDED_PX,
    border: BorderChoice | None = None,
    equal: bool = False,
) -> TilingPlan:
    """Return the tiles of a picture of `height` x `width` input pixels.

    A tile has an area of at most `tile_px` squared, in input pixels, halo included. `tile_px` is a side or a function
    that returns the side for a halo. Of the allowed tile shapes, the plan uses the one that computes the fewest pixels.
    A wide halo enlarges the tiles, up to about `most_px` per side.

    The plan uses the smallest halo whose deviation is at most `MAX_STEPS`, instead of the exact halo, if the exact one
    computes more than `MAX_WASTE` pixels per pixel or needs tiles beyond `most_px`. `exact` forbids this.

    A model without a finite halo gets one tile: the whole picture. No tile is longer than the maximum of the size laws.
    `border` fills the pixels beyond the picture, as far as the halo reaches. `equal` gives the tiles of all pictures one
    shape, a square of `tile_px`, so that a server can batch them; only a side of a picture that is shorter is a tile's side.

    Raises `ImageTooLargeError` if the picture must be computed as a whole and is longer than the maximum, `ModelError` if
    the shortest tile is longer than the maximum, or if the size laws have an offset that context and crop do not balance,
    `ParameterError` if there is a border but no finite halo, and `ContractError` if the contract has no size law.
    """
    if border is not None and isinstance(contract.halo, NoHalo):
        raise ParameterError(
            f"{contract.name} has no finite halo ({contract.halo.node}: {contract.halo.reason}), so no border is wide enough; "
            f"leave out the border, or choose another model"
        )
    halo = contract.halo if isinstance(contract.halo, Halo) else None
    whole = _plan(height, width, contract, tile_px, most_px, halo, None, border, equal=equal)
    fits = whole.possible and whole.tiles[0].area <= most_px**2
    if halo is not None and not exact and not (fits and whole.waste <= MAX_WASTE):
        for deviation in contract.halo_deviation:
            if deviation.steps <= MAX_STEPS:
                side = deviation.halo_px
                smaller = Halo(**{name: min(px, side) for name, px in halo.model_dump().items()})
                other = _plan(height, width, contract, tile_px, most_px, smaller, deviation, border, equal=equal)
                whole = min(whole, other, key=lambda plan: plan.computed_px) if fits else other
                break
    if not whole.possible:
        raise _beyond_maximum(contract, whole)
    return replace(whole, passes=1 + contract.levels) if len(whole.tiles) > 1 else whole


def in_one_piece(plan: TilingPlan, contract: Contract, most_px: int, border: BorderChoice | None = None) -> TilingPlan:
    """Return the picture as one tile if that has at most `most_px` pixels and is less work than `plan`, or `plan`.

    Only a plan of several passes can be more work: one tile computes its own means, in one pass.
    """
    area = plan.rows.padded * plan.columns.padded
    return plan if plan.passes == 1 or area >= plan.computed_px else as_one_tile(plan, contract, most_px, border)


def as_one_tile(plan: TilingPlan, contract: Contract, most_px: int, border: BorderChoice | None = None) -> TilingPlan:
    """Return the picture as one tile, or `plan` if that has more than `most_px` pixels or the size laws allow no such tile."""
    if len(plan.tiles) == 1 or plan.rows.padded * plan.columns.padded > most_px:
        return plan
    side = max(plan.rows.padded, plan.columns.padded)
    whole = plan_tiles(plan.height, plan.width, contract, side, border=border)
    return whole if len(whole.tiles) == 1 else plan


def surroundings(contract: Contract) -> tuple[Surroundings, Surroundings]:
    """Return the pixels around the picture and around the result, along height and width.

    Raises `ModelError` if they do not balance the offset of the size laws, and `ContractError` if there are no size laws.
    """
    scale, laws = contract.scale, contract.laws
    context = contract.context or Context(top=0, bottom=0, left=0, right=0)
    crop = contract.crop or Crop(top=0, bottom=0, left=0, right=0)
    rows = Surroundings(context.top, context.bottom, crop.top, crop.bottom, context.fill)
    columns = Surroundings(context.left, context.right, crop.left, crop.right, context.fill)
    if not (rows.balance(laws[0]) and columns.balance(laws[1])):
        offsets = f"{laws[0].offset} and {laws[1].offset}"
        raise ModelError(
            f"{contract.name} has offsets of {offsets} pixels, and its context and crop do not balance them, so the result is "
            f"not {scale} times as large as the picture; export it again"
        )
    return rows, columns


def tiling_axes(
    height: int, width: int, contract: Contract, halo: Halo | None, border: BorderChoice | None = None
) -> tuple[TilingAxis, TilingAxis]:
    """Return both axes of a picture of `height` x `width` pixels; raises what `surroundings` raises."""
    halos = (None, None) if halo is None else ((halo.top, halo.bottom), (halo.left, halo.right))
    rows, columns = (
        TilingAxis.of(length, law, sides, _bordered(around, law, sides, border), complete=bool(contract.statistics))
        for length, law, sides, around in zip((height, width), contract.laws, halos, surroundings(contract), strict=True)
    )
    return rows, columns


def _bordered(around: Surroundings, law: SizeLaw, halo: tuple[int, int] | None, border: BorderChoice | None) -> Surroundings:
    return around if halo is None or border is None else around.widened(law, halo, FILLS[border])


def _plan(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int | Callable[[Halo | None], int],
    most_px: int,
    halo: Halo | None,
    deviation: HaloDeviation | None,
    border: BorderChoice | None,
    *,
    equal: bool,
) -> TilingPlan:
    """Return the tiles for one halo. They are the whole picture if the maximum of a size law allows no tiles."""
    rows, columns = tiling_axes(height, width, contract, halo, border)
    side = tile_px if isinstance(tile_px, int) else tile_px(halo)
    possible = rows.possible and columns.possible
    if equal and possible:
        tall, wide = rows.side(side, most_px, equal=True), columns.side(side, most_px, equal=True)
    else:
        tall, wide = _sides(rows, columns, side, most_px) if possible else (rows.padded, columns.padded)
    tiles = tuple(Tile(*spans) for spans in product(rows.spans(tall), columns.spans(wide)))
    return TilingPlan(rows, columns, contract.scale, tiles, deviation)


def _sides(rows: TilingAxis, columns: TilingAxis, side: int, most_px: int) -> tuple[int, int]:
    """Return the height and width of tiles that compute the fewest pixels in all; of equal ones, the fewest tiles.

    No tile has a larger area than a square of `side`, unless the limits of an axis require it.
    """

    def cost(shape: tuple[int, int]) -> tuple[int, int, int]:
        count = rows.count(shape[0]) * columns.count(shape[1])
        return count * shape[0] * shape[1], count, max(shape)

    limits = {side, *range(side // MAX_ASPECT + 1, MAX_ASPECT * side + 1, STEP_PX)}
    talls = {rows.side(limit, most_px) for limit in limits}
    shapes = {(tall, columns.side(min(side * side // tall, MAX_ASPECT * side), most_px)) for tall in talls}
    return min(shapes, key=cost)


def _beyond_maximum(contract: Contract, plan: TilingPlan) -> ImageTooLargeError | ModelError:
    """Return the error for a plan that is not possible."""
    axis = plan.columns if plan.rows.possible else plan.rows
    if axis.halo is not None:
        return ModelError(
            f"{contract.name} needs tiles of at least {axis.shortest} pixels per side, and its export proved sizes up to "
            f"{axis.largest}; export it again with a larger maximum"
        )
    why = f"{contract.halo.node}: {contract.halo.reason}" if isinstance(contract.halo, NoHalo) else "it states no halo"
    return ImageTooLargeError(
        f"{contract.name} needs the whole picture at once ({why}), and its export proved sizes up to {axis.largest} pixels "
        f"per side; this picture needs {axis.padded}; use a smaller picture or another model"
    )
