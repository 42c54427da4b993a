"""The plan of a picture's tiles, for the memory that is free and the speed that the model has."""

from __future__ import annotations

import math
import threading

from upconv.runtime.calibration import TILE_BYTES, TILE_PX, Calibration, calibrate
from upconv.runtime.contract import Contract, Halo, NoHalo
from upconv.runtime.errors import ImageTooLargeError
from upconv.runtime.memory import available_bytes
from upconv.runtime.options import BorderChoice
from upconv.runtime.session import Model
from upconv.runtime.tiling import Tile, TilingPlan, as_one_tile, in_one_piece, plan_tiles

LARGE_PX = 2_000_000
"""From this many pixels on, the engine measures the fastest tile before it starts, and releases memory afterwards."""

HARMLESS_PX = 128**2
"""Tiles of at most this many pixels are computed without a check of the free memory."""

ELSEWHERE_PX = 1024
"""Most pixels per side to which a wide halo enlarges a tile of another machine, whose memory is not known. Its tensor takes
12 MiB; `upconv serve` accepts 32."""

OVERLAPS = 3
"""The side of an equal tile is at least this many overlaps of neighbours, so that a tile keeps two thirds of its side."""


def plan_equal_tiles(
    height: int,
    width: int,
    contract: Contract,
    tile_px: int,
    *,
    exact: bool = False,
    most_px: int = ELSEWHERE_PX,
    border: BorderChoice | None = None,
) -> TilingPlan:
    """Return square tiles of one size for all pictures, so that a server can batch the tiles of different pictures.

    Nothing is measured, since another machine computes. A smaller halo replaces the exact one only if `tile_px` is shorter than
    `OVERLAPS` times the overlap of two tiles. The arguments and errors are those of `plan_tiles`.
    """
    halo = contract.halo
    overlap = max(halo.top + halo.bottom, halo.left + halo.right) if isinstance(halo, Halo) else 0
    exact = exact or OVERLAPS * overlap <= tile_px
    most_px = max(tile_px, most_px)
    return plan_tiles(height, width, contract, tile_px, exact=exact, most_px=most_px, border=border, equal=True)


class Planner:
    """Plans the tiles of pictures for one model, whose memory and speed are measured once."""

    def __init__(
        self, model: Model, workers: int, *, tile_px: int | None = None, exact: bool = False, elsewhere_px: int | None = None
    ) -> None:
        """Plan for `workers` tiles at a time, which share the memory. `tile_px` and `exact` are those of `Engine`.

        `elsewhere_px` is the usual side of a tile that another machine computes. Then nothing is measured on this one.
        """
        self._model, self._workers = model, workers
        self._tile_px, self._exact, self._elsewhere_px = tile_px, exact, elsewhere_px
        self._calibration: Calibration | None = None
        self._last: tuple[tuple[int, int, BorderChoice | None], TilingPlan] | None = None
        """The last plan of one small tile, which depends on no measurement, and its arguments: thumbnails often have one size."""
        self._last_piece: TilingPlan | None = None
        self._calibrating = threading.Lock()

    def plan(self, height: int, width: int, border: BorderChoice | None = None) -> TilingPlan:
        """Return the tiles of a picture of `height` x `width` pixels, whose border is filled by `border`.

        If the tiles are not small, the first call measures the model's memory, and for large pictures its speed, with
        `calibrate`. A picture that needs several passes is one tile instead, if that is less work and takes at most the memory
        of a tile, and if no side was given. Raises `ImageTooLargeError` if the smallest possible tile needs more memory than is free, and what
        `plan_tiles` raises.
        """
        last, arguments = self._last, (height, width, border)
        if last is not None and last[0] == arguments:
            return last[1]
        contract, side = self._model.contract, self._tile_px
        if self._elsewhere_px is not None:
            return plan_equal_tiles(height, width, contract, side or self._elsewhere_px, exact=self._exact, border=border)
        first = plan_tiles(height, width, contract, side or TILE_PX, exact=self._exact, border=border)
        if first.tiles[0].area <= (side**2 if side else HARMLESS_PX):
            if len(first.tiles) == 1:
                self._last = arguments, first
            return first
        measured = self.measured(speed=height * width >= LARGE_PX and not side)
        most_px = measured.most_px(available_bytes() / self._workers)
        limit = math.isqrt(most_px)
        best = plan_tiles(height, width, contract, side or measured.tile_px, exact=self._exact, most_px=limit, border=border)
        if best.tiles[0].area > (most_px if isinstance(contract.halo, NoHalo) else 2 * most_px):
            raise _too_much_for_memory(contract, best.tiles[0], measured.bytes_per_px)
        usual = min(most_px, int(TILE_BYTES / max(1, measured.bytes_per_px)))
        return best if side else in_one_piece(best, contract, usual, border)

    def piece(self, height: int, width: int) -> TilingPlan:
        """Return a picture as one tile, such as a tile of another machine; if memory does not allow that, as `plan` does.

        Raises what `plan` raises.
        """
        last = self._last_piece
        if last is not None and (last.height, last.width) == (height, width):
            return last
        found = self.plan(height, width)
        if len(found.tiles) > 1:
            most_px = ELSEWHERE_PX**2
            if self._elsewhere_px is None:
                most_px = self.measured(speed=False).most_px(available_bytes() / self._workers)
            found = as_one_tile(found, self._model.contract, most_px)
        self._last_piece = found if len(found.tiles) == 1 and height * width <= LARGE_PX else None
        return found

    def measured(self, *, speed: bool) -> Calibration:
        """Return the measured memory, and the speed if `speed` asks for it; the first call measures."""
        with self._calibrating:
            known = self._calibration
            if known is None or (speed and not known.seconds_per_px):
                self._calibration = known = calibrate(self._model, self._workers, speed=speed)
            return known


def _too_much_for_memory(contract: Contract, tile: Tile, bytes_per_px: float) -> ImageTooLargeError:
    height, width = tile.shape
    why = f"has a halo of {contract.halo}"
    if isinstance(contract.halo, NoHalo):
        why = f"needs the whole picture at once ({contract.halo.node}: {contract.halo.reason})"
    return ImageTooLargeError(
        f"{contract.name} {why}, so it must compute {width}x{height} pixels in one piece; that takes about "
        f"{tile.area * bytes_per_px / 2**30:.1f} GiB, more than is free; use fewer workers, a smaller picture or another model"
    )
