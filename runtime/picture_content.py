"""The content of a picture: photograph, drawing, pixel art, halftone or dither, from a sample of its pixels.

Every measure is about three pixels in a row, along rows and columns, in luma of 8 bits. If the outer two differ, the middle one
is where an edge passes. In a photograph and in smooth lettering it lies between the two; in pixel art it equals one of them. If the
middle one is above or below both, it stands alone, as every second pixel of a dither does.

JPEG moves every pixel by a little. What counts as equal therefore depends on its quality.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.picture import Picture, Samples
from upconv.runtime.spool import part

Content = Literal["photograph", "drawing", "pixel art", "halftone", "dither"]
"""What a picture shows. A drawing is text, line art or a picture of a screen, with smooth edges."""

PATCH_PX = 32
"""Side of the sampled patches."""
PATCHES = 16
"""Most sampled patches. A picture that is not larger than all of them is measured as a whole."""
EDGE_STEP = 48
"""Least difference of the outer two pixels at an edge, in 8-bit steps, and five times what counts as equal."""
LONE_STEP = 32
"""Least difference of a lone pixel from both neighbours."""
LEAST_EDGES = 0.004
"""Least share of edges of pixel art and drawings. A picture with fewer is smooth."""
MOST_COLORS = 64
"""Most colours of pixel art without loss, in the sample."""
HARD_SHARE = 0.7
"""Least share of hard edges of pixel art without loss. Lettering has up to 0.35, and tables of a screen 0.66."""
HARD_LOSSY = ((0.57, 0.6), (0.8, 0.78))
"""Least share of hard edges of pixel art after JPEG, each with the most of the area that one shade may cover. Pages and screens,
whose frames are hard edges, have a share of 0.76 at most, and more paper."""
LONE_SHARE = 0.3
"""Least share of lone pixels of a dither. Halftones have up to 0.09, pixel art 0.2."""
LONE_SHARE_FEW = 0.04
"""The same of a picture of few colours without loss, if its lone pixels outnumber its edges."""
DENSE_SHARE = 0.3
"""Least share of edges of a halftone. Photographs have up to 0.26."""
FLAT_SHARE = 0.4
"""Least share of equal neighbours of a drawing without loss. Photographs have up to 0.31."""
FLAT_SHARE_LOSSY = 0.5
"""The same after JPEG."""
CRISP_SHARE = 0.7
"""Least share of edges of the neighbours that are not equal, in a drawing after JPEG. Photographs have up to 0.66."""
_LUMA = np.array([77, 150, 29], np.uint16)
"""Weights of R, G and B in BT.601 luma, of 256."""
_MEAN_STEP = 57.6
"""Mean step of the luma table of JPEG at quality 50 (ITU-T T.81, table K.1)."""


@dataclass(frozen=True)
class ContentMeasures:
    """The measures of a sample."""

    colors: int
    """The number of different colours."""
    edges: float
    """The share of positions where an edge passes."""
    hard: float
    """The share of edges whose middle pixel equals a neighbour; 0 without edges."""
    lone: float
    """The share of positions whose pixel is above or below both neighbours."""
    flat: float
    """The share of neighbours that are equal."""
    paper: float
    """The share of pixels of the most frequent shade."""


def content_of(picture: Picture, quality: int | None) -> Content:
    """Return the content of a picture. `quality` is that of JPEG, or `None` if the file has no loss."""
    return classify(measure(picture, tolerance(quality)), lossy=quality is not None)


def tolerance(quality: int | None) -> int:
    """Return the difference up to which pixels count as equal, in 8-bit steps: 0 without loss, 12 at JPEG 90, 20 at 75."""
    if quality is None:
        return 0
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    return min(32, math.ceil(3.6 * math.sqrt(_MEAN_STEP * percent / 100)))


def classify(found: ContentMeasures, *, lossy: bool) -> Content:
    """Return the content that the measures show."""
    few = not lossy and found.colors <= MOST_COLORS
    if found.lone >= (LONE_SHARE_FEW if few and found.lone > found.edges else LONE_SHARE):
        return "dither"
    if found.edges < LEAST_EDGES:
        return "photograph"
    if (few and found.hard >= HARD_SHARE) or (lossy and _is_hard(found)):
        return "pixel art"
    if _is_drawn(found, lossy=lossy):
        return "drawing"
    return "halftone" if found.edges >= DENSE_SHARE else "photograph"


def _is_hard(found: ContentMeasures) -> bool:
    """Return true if the edges are hard although JPEG has softened them."""
    return any(found.hard >= hard and found.paper <= paper for hard, paper in HARD_LOSSY)


def _is_drawn(found: ContentMeasures, *, lossy: bool) -> bool:
    if not lossy:
        return found.flat >= FLAT_SHARE
    return found.flat >= FLAT_SHARE_LOSSY and found.edges >= CRISP_SHARE * (1 - found.flat)


def measure(picture: Picture, tolerance: int = 0) -> ContentMeasures:
    """Return the measures of a sample of the picture, in which values that differ by at most `tolerance` count as equal."""
    sample = np.stack([_eight_bits(patch) for patch in _patches(picture.samples)])[..., : picture.color.shape[2]]
    luma = _luma(sample)
    shades = np.bincount(luma.ravel(), minlength=256)
    counts = _counted(luma, tolerance) + _counted(luma.swapaxes(1, 2), tolerance)
    positions, edges, hard, lone, equal, neighbours = (int(count) for count in counts)
    return ContentMeasures(
        colors=np.unique(_codes(sample)).size,
        edges=edges / max(1, positions),
        hard=hard / max(1, edges),
        lone=lone / max(1, positions),
        flat=equal / max(1, neighbours),
        paper=_paper(shades, tolerance),
    )


def _patches(samples: Samples) -> Iterator[Samples]:
    """Yield the whole picture if it is small, or else patches of one size on an even grid."""
    height, width = samples.shape[:2]
    if height * width <= PATCHES * PATCH_PX**2:
        yield samples
        return
    down = min(math.isqrt(PATCHES), max(1, height // PATCH_PX))
    across = min(PATCHES // down, max(1, width // PATCH_PX))
    for row in range(down):
        for column in range(across):
            top, left = _start(row, down, height), _start(column, across, width)
            yield part(samples, top, min(top + PATCH_PX, height), left, min(left + PATCH_PX, width))


def _start(number: int, count: int, length: int) -> int:
    return max(0, (2 * number + 1) * length // (2 * count) - PATCH_PX // 2)


def _eight_bits(samples: Samples) -> NDArray[np.uint16]:
    return (samples >> 8 if samples.dtype == np.uint16 else samples).astype(np.uint16)


def _luma(color: NDArray[np.uint16]) -> NDArray[np.int16]:
    if color.shape[-1] == 1:
        return color[..., 0].astype(np.int16)
    red, green, blue = (color[..., channel] * weight for channel, weight in enumerate(_LUMA))  # at most 255 * 256
    luma: NDArray[np.int16] = ((red + green + blue) >> 8).astype(np.int16)
    return luma


def _codes(color: NDArray[np.uint16]) -> NDArray[np.uint32]:
    """Return each colour as one number."""
    places = (1 << 8 * np.arange(color.shape[-1])).astype(np.uint32)
    codes: NDArray[np.uint32] = (color * places).sum(axis=-1, dtype=np.uint32)
    return codes.ravel()


def _counted(luma: NDArray[np.int16], tolerance: int) -> NDArray[np.int64]:
    """Return the positions, edges, hard edges, lone pixels, equal neighbours and neighbours along the rows of (N, H, W)."""
    steps = np.diff(luma, axis=2)
    before, after = steps[..., :-1], steps[..., 1:]
    smaller = np.minimum(np.abs(before), np.abs(after))
    edge = np.abs(before + after) >= max(EDGE_STEP, 5 * tolerance)
    hard = edge & (smaller <= tolerance)
    lone = ((before > 0) != (after > 0)) & (smaller >= LONE_STEP)
    equal = np.abs(steps) <= tolerance
    found = (edge.size, edge.sum(), hard.sum(), lone.sum(), equal.sum(), equal.size)
    return np.array(found, np.int64)


def _paper(shades: NDArray[np.int64], tolerance: int) -> float:
    """Return the share of the most frequent shade of a histogram, with those that count as equal."""
    window = np.ones(2 * tolerance + 1, np.int64)
    return float(np.convolve(shades, window, "same").max() / shades.sum())
