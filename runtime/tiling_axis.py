"""One axis of a tiled picture: its spans, the pixels around it, and the part of each output that is kept.

The model never sees the picture itself but the extended picture: the picture with `lead` pixels before it and as many
after it as the context, the multiple and the minimum require. All positions here count from its first pixel:

    extended picture    0 .. lead | lead .. lead + length | .. padded
    whole output        0 .. crop | crop .. crop + scale * length | .. scale * padded + offset

An input span [start, stop) gives the outputs from `scale * start` up to `scale * stop + offset`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.contract import SizeLaw
from upconv.runtime.options import BorderChoice
from upconv.runtime.rounding import ceil_div, round_down, round_up

STEP_PX = 8
"""Sides of tiles are tried in steps of this many pixels, so that pictures of similar size share a tile shape."""

UNBOUNDED_PX = 1_000_000
"""A side in pixels that is longer than that of any tile: no limit."""

Fill = Literal["reflect", "edge", "wrap", "zero"]
"""The pixels beyond the border of a picture: mirrored at the border pixel, the border pixel repeated, those of the opposite
border, or black and transparent."""

FILLS: dict[BorderChoice, Fill] = {"mirror": "reflect", "repeat": "edge", "wrap": "wrap", "zero": "zero"}
"""The pixels beyond the border by the option that chooses them."""


@dataclass(frozen=True)
class TileSpan:
    """A tile along one axis, in pixels of the extended picture."""

    start: int
    """First input pixel of the tile."""
    stop: int
    """One past the last input pixel of the tile."""
    keep_start: int
    """First input pixel whose output is kept."""
    keep_stop: int
    """One past the last input pixel whose output is kept."""

    @property
    def length(self) -> int:
        """The length of the tile in input pixels, halo included."""
        return self.stop - self.start


@dataclass(frozen=True)
class Surroundings:
    """The input pixels around the picture and the outputs around the result, along one axis."""

    before: int = 0
    """Input pixels that the model consumes before the picture."""
    after: int = 0
    """Input pixels that the model consumes after the picture."""
    crop_before: int = 0
    """Output pixels before the first one of the result."""
    crop_after: int = 0
    """Output pixels after the last one of the result."""
    fill: Fill = "edge"
    """The pixels beyond the border of the picture."""

    def balance(self, law: SizeLaw) -> bool:
        """Return whether the output without the crop is exactly `scale` times the picture."""
        return law.scale * (self.before + self.after) + law.offset == self.crop_before + self.crop_after

    def widened(self, law: SizeLaw, halo: tuple[int, int], fill: Fill) -> Surroundings:
        """Return surroundings so wide that no output of the picture depends on pixels beyond them, filled with `fill`."""
        before, after = max(0, halo[0] - self.before), max(0, halo[1] - self.after)
        # The model may treat a pixel by its position modulo the multiple, which stays.
        before, after, scale = round_up(before, law.multiple), round_up(after, law.multiple), int(law.scale)
        return replace(
            self,
            before=self.before + before,
            after=self.after + after,
            crop_before=self.crop_before + before * scale,
            crop_after=self.crop_after + after * scale,
            fill=fill,
        )

    def aligned(self, law: SizeLaw, halo: tuple[int, int]) -> tuple[int, int]:
        """Return the pixels of a span before and after its kept part, for a halo that counts from the picture's pixels."""
        scale = int(law.scale)
        # The first output of input pixel `k` belongs to the picture's pixel `k - crop_before / scale`.
        before = max(0, halo[0] - self.before + ceil_div(self.crop_before, scale))
        after = max(0, halo[1] + self.before - self.crop_before // scale, ceil_div(-law.offset, scale))
        # The model may treat a pixel by its position modulo the multiple, so tiles start on multiples.
        return round_up(before, law.multiple), round_up(after, law.multiple)


@dataclass(frozen=True)
class SpanPixels:
    """The pixels of a picture that a span consists of, along one axis."""

    runs: tuple[tuple[int, int], ...]
    """The first pixel and one past the last one of each range that is read, in ascending order. Only `wrap` needs two."""
    order: NDArray[np.intp] | None = None
    """The pixel of all runs together at each position of the span. `None` if they are these pixels in order."""
    outside: NDArray[np.bool_] | None = None
    """The positions of the span that are 0. `None`: none."""

    def arranged(self, block: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the pixels of all runs, those of `block` along `axis`, in the order of the span."""
        if self.order is None:
            return block
        taken = block.take(self.order, axis)
        if self.outside is not None:
            np.moveaxis(taken, axis, 0)[self.outside] = 0
        return taken


@dataclass(frozen=True)
class TilingAxis:
    """One axis of a picture, with the limits that the model sets for spans along it."""

    length: int
    """Length of the picture in input pixels."""
    padded: int
    """Length of the extended picture in input pixels."""
    multiple: int
    """Lengths and starts of spans are multiples of this."""
    smallest: int
    """The shortest input that the model accepts."""
    largest: int
    """The longest input that the model accepts."""
    halo: tuple[int, int] | None
    """Input pixels before and after the kept part of a span, rounded up to the multiple. `None` if the model needs the
    whole axis."""
    scale: int = 1
    """Output pixels per input pixel."""
    offset: int = 0
    """Output pixels that the model adds, or removes if negative."""
    padded_by: int = 0
    """Pixels of the context, before and after the picture together."""
    lead: int = 0
    """Pixels of the extended picture before the picture."""
    crop: int = 0
    """Output pixels before the first one of the result."""
    fill: Fill = "edge"
    """The pixels beyond the border of the picture."""
    complete: bool = False
    """True if spans cover the whole extended picture, because the model averages all of it."""

    @classmethod
    def of(
        cls,
        length: int,
        law: SizeLaw,
        halo: tuple[int, int] | None,
        around: Surroundings | None = None,
        *,
        complete: bool = False,
    ) -> TilingAxis:
        """Return the axis of a picture that is `length` pixels long, for a model with this size law.

        `halo` counts from the picture's pixels, as in a contract. The scale of the law is an integer.
        """
        around = around or Surroundings()
        smallest = law.fitted(law.minimum)
        return cls(
            length=length,
            padded=law.fitted(length + around.before + around.after),
            multiple=law.multiple,
            smallest=smallest,
            largest=law.fitted_down(UNBOUNDED_PX) or smallest,
            halo=None if halo is None else around.aligned(law, halo),
            scale=int(law.scale),
            offset=law.offset,
            padded_by=around.before + around.after,
            lead=around.before,
            crop=around.crop_before,
            fill=around.fill,
            complete=complete,
        )

    @property
    def possible(self) -> bool:
        """True if the model accepts the whole extended picture, or spans that keep something besides the halo."""
        return self.padded <= self.largest or (self.halo is not None and self.shortest <= self.largest)

    @property
    def shortest(self) -> int:
        """The shortest span that keeps something besides the halo, in input pixels."""
        return max(self.smallest, self._overlap + self.multiple)

    def side(self, tile_px: int, most_px: int, *, equal: bool = False) -> int:
        """Return the length of equal spans: the shortest that needs no more spans than `tile_px` does.

        It exceeds `tile_px` if the model's minimum requires it, or if the halo is wide and `most_px` allows it. With `equal`,
        it does not depend on the length of a picture that needs several spans.
        """
        if self.halo is None:
            return self.padded
        # A side of 3 overlaps keeps two thirds of itself. If memory forbids it, 1.5 overlaps still keep a third.
        wide = round_down(min(3 * self._overlap, max(most_px, 3 * self._overlap // 2)), self.multiple)
        smallest = min(max(self.shortest, wide), self.largest)
        side = min(max(round_down(tile_px, self.multiple), smallest), self.largest)
        if self.padded <= side:
            return self.padded
        return side if equal else max(smallest, self._fitted(side))

    def count(self, side: int) -> int:
        """Return the number of spans of length `side`."""
        if side >= self.padded:
            return 1
        return 1 + max(0, ceil_div(self._extent - side, side - self._overlap))

    def spans(self, side: int) -> list[TileSpan]:
        """Return the spans of length `side`, in order."""
        whole = TileSpan(0, self.padded, self._keep_start, self._keep_stop)
        return [whole] if side >= self.padded else list(self._overlapping(side))

    def halves(self, span: TileSpan) -> tuple[TileSpan, ...]:
        """Return two shorter spans that together keep what `span` keeps; empty if it is too short to split."""
        if self.halo is None or span.keep_stop - span.keep_start < 2 * self.multiple:
            return ()
        middle = span.keep_start + round_up((span.keep_stop - span.keep_start) // 2, self.multiple)
        return self._around(span.keep_start, middle), self._around(middle, span.keep_stop)

    def window(self, span: TileSpan) -> SpanPixels:
        """Return the pixels of the picture that the input of a span consists of."""
        first, stop = span.start - self.lead, span.stop - self.lead
        if first >= 0 and stop <= self.length:
            return SpanPixels(((first, stop),))
        return span_pixels(first, stop, self.length, self.fill)

    def place(self, span: TileSpan) -> tuple[int, int, int]:
        """Return the first and one past the last kept output of a span, and the place of the first in the result."""
        first = max(span.keep_start * self.scale, self.crop)
        stop = min(span.keep_stop * self.scale, self.crop + self.length * self.scale)
        start = span.start * self.scale
        return first - start, stop - start, first - self.crop

    def _around(self, keep_start: int, keep_stop: int) -> TileSpan:
        """Return the shortest allowed span that keeps these pixels."""
        assert self.halo is not None
        start = max(keep_start - self.halo[0], 0)
        stop = min(round_up(keep_stop + self.halo[1], self.multiple), self.padded)
        stop = min(max(stop, start + self.smallest), self.padded)
        return TileSpan(max(min(start, stop - self.smallest), 0), stop, keep_start, keep_stop)

    @property
    def _overlap(self) -> int:
        return sum(self.halo or ())

    @property
    def _keep_start(self) -> int:
        """The first input pixel that any kept output belongs to, rounded down to the multiple."""
        return 0 if self.complete else round_down(self.crop // self.scale, self.multiple)

    @property
    def _keep_stop(self) -> int:
        """One past the input pixel that the last output belongs to."""
        return self.padded + ceil_div(self.offset, self.scale)

    @property
    def _needed(self) -> int:
        """One past the last input pixel whose output is in the result."""
        return self._keep_stop if self.complete else self.length + ceil_div(self.crop, self.scale)

    @property
    def _extent(self) -> int:
        """The length of the part of the extended picture that spans cover, in input pixels."""
        before, after = self.halo or (0, 0)
        return min(self._needed + after, self.padded) - max(self._keep_start - before, 0)

    def _fitted(self, side: int) -> int:
        """Return the shortest span that needs no more spans than `side` does, in steps of `STEP_PX`."""
        count = self.count(side)
        fitted = ceil_div(self._extent + (count - 1) * self._overlap, count)
        return min(side, round_up(fitted, math.lcm(self.multiple, STEP_PX)))

    def _overlapping(self, side: int) -> Iterator[TileSpan]:
        assert self.halo is not None
        before, after = self.halo
        keep_start = self._keep_start
        while keep_start < self._needed:
            start = min(max(keep_start - before, 0), self.padded - side)
            stop = start + side
            keep_stop = self._keep_stop if stop == self.padded else stop - after
            yield TileSpan(start, stop, keep_start, keep_stop)
            keep_start = keep_stop


def span_pixels(first: int, stop: int, length: int, fill: Fill) -> SpanPixels:
    """Return the pixels at the positions from `first` to `stop` of an axis of `length` pixels, which may be beyond its ends."""
    positions = np.arange(first, stop)
    used, order = np.unique(filled(positions, length, fill), return_inverse=True)
    runs = tuple((int(run[0]), int(run[-1]) + 1) for run in np.split(used, np.flatnonzero(np.diff(used) > 1) + 1))
    outside = (positions < 0) | (positions >= length) if fill == "zero" else None
    return SpanPixels(runs, order, outside)


def filled(positions: NDArray[np.intp], length: int, fill: Fill) -> NDArray[np.intp]:
    """Return the pixel of an axis of `length` pixels that stands at each position, for positions of any distance.

    `edge` repeats the border pixel. `reflect` mirrors at the border pixel, and again at the opposite one if the distance
    is longer than the axis, as `numpy.pad` does. `wrap` continues with the opposite border. An axis of one pixel repeats it.
    Of `zero`, the positions beyond the border are those of `edge`, for which `SpanPixels.outside` stands.
    """
    if fill in ("edge", "zero") or length == 1:
        return positions.clip(0, length - 1)
    if fill == "wrap":
        return positions % length
    period = 2 * (length - 1)
    folded: NDArray[np.intp] = positions % period
    return np.minimum(folded, period - folded)


def block_of(
    rows: SpanPixels, columns: SpanPixels, read: Callable[[int, int, int, int], NDArray[Any]], axis: int
) -> NDArray[Any]:
    """Return the pixels of two spans, whose rows are at `axis` and columns at the next one.

    `read(top, bottom, left, right)` returns a rectangle of the picture.
    """
    strips = [_joined([read(top, bottom, left, right) for left, right in columns.runs], axis + 1) for top, bottom in rows.runs]
    return columns.arranged(rows.arranged(_joined(strips, axis), axis), axis + 1)


def _joined(blocks: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis)
