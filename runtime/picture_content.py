"""The content of a picture: photograph, drawing, line art, pixel art, halftone or dither, from a sample of its pixels.

The measures are about neighbours along rows and columns, in luma of 8 bits. The one that tells most is the ramp: in a photograph and
in smooth lettering, the step to a neighbour goes on in the step to the next one; in pixel art and in dithers every step stands alone.
Frames, whose steps stand alone too, do not count, because their steps do not change along the frame.

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

Content = Literal["photograph", "drawing", "line art", "pixel art", "halftone", "dither"]
"""What a picture shows. A drawing is text, a diagram or a picture of a screen, with smooth edges. Line art is full of lines or of
the dots of one ink, and a halftone of the dots of several."""

PATCH_PX = 32
"""Side of the sampled patches."""
PATCHES = 16
"""Most sampled patches. A picture that is not larger than all of them is measured as a whole."""
STEP = 24
"""Least difference of neighbours that is a step."""
EDGE_STEP = 48
"""Least difference of the outer two of three pixels at an edge, in 8-bit steps, and five times what counts as equal."""
LONE_STEP = 32
"""Least difference of a lone pixel from both neighbours."""
LONE_SHARE = 0.3
"""Least share of lone pixels of a dither, whatever its ramp: in luma, dithers of three channels have one."""
LEAST_EDGES = 0.004
"""Least share of edges of drawings and halftones. A picture with fewer is smooth."""
LEAST_STEPS = 0.01
"""Least share of steps of pixel art and dithers."""
MOST_COLORS, COLORED_RAMP, COLORED_STEPS = 64, 0.3, 0.003
"""Most colours of a picture without loss in which a ramp of up to the second, and the third as a share of steps, are enough. Lettering in
sixteen colours has a ramp of 0.44, and screens 0.31."""
HARD_RAMP = 0.22
"""Largest ramp of pixel art and dithers. Lettering has 0.40 and more, and screens full of frames 0.25."""
FEW_RAMP, RAMP_OF_STEPS = 0.1, 0.5
"""The same of a picture that is not drawn: the first, and the second for each step of the share. Photographs that were reduced without
antialiasing have 0.12 and more, with few steps."""
DENSE_STEPS = 0.25
"""Least share of steps of line art."""
DENSE_RAMP = 0.6
"""Least ramp of line art. Lettering that is as dense has up to 0.60."""
DENSE_EDGES = 0.3
"""Least share of edges of a picture that is dense, but has few equal neighbours. Photographs have up to 0.26."""
PAPER_SHARE = 0.2
"""Least share of the most frequent shade of line art, if few neighbours are equal. Halftones of several inks have up to 0.19."""
FLAT_SHARE = 0.4
"""Least share of equal neighbours of a drawing without loss. Photographs have up to 0.31."""
CRISP_SHARE = 0.17
"""Least share of edges of the neighbours that are not equal, in a drawing without loss. Photographs with an even sky have up to 0.16,
lettering 0.36 and more."""
DRAWN_WEIGHTS = (0.68, 0.37, 0.2, 0.56, 0.31)
"""Weights of the roots of the shares of edges, steps and lone pixels, and of the shares of equal neighbours and paper. After JPEG, a picture
whose weighted sum is above 1 is drawn. They were fitted by logistic regression. The sum was then divided by 1.1, so that few photographs are
above it."""
_LUMA = np.array([77, 150, 29], np.uint16)
"""Weights of R, G and B in BT.601 luma, of 256."""
_MEAN_STEP = 57.6
"""Mean step of the luma table of JPEG at quality 50 (ITU-T T.81, table K.1)."""


@dataclass(frozen=True)
class ContentMeasures:
    """The measures of a sample."""

    colors: int
    """The number of different colours."""
    steps: float
    """The share of positions with a step to a neighbour that changes along the edge."""
    ramp: float
    """The mean share of a step that goes on in the next one: 0 if every step stands alone."""
    edges: float
    """The share of positions whose outer two of three pixels differ."""
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
    if found.lone >= LONE_SHARE:
        return "dither"
    if _is_hard(found, lossy=lossy):
        return "dither" if not lossy and found.lone > found.edges else "pixel art"
    if found.edges < LEAST_EDGES:
        return "photograph"
    dense = found.steps >= DENSE_STEPS and found.ramp >= DENSE_RAMP
    if _is_drawn(found, lossy=lossy):
        return "line art" if dense else "drawing"
    if lossy and dense:
        return "halftone"
    if found.edges < DENSE_EDGES:
        return "photograph"
    return "line art" if dense and found.paper >= PAPER_SHARE else "halftone"


def _is_hard(found: ContentMeasures, *, lossy: bool) -> bool:
    """Return true if the steps stand alone. In a picture that is not drawn, the ramp must be less, the fewer steps there are."""
    if not lossy and found.colors <= MOST_COLORS:
        return found.steps >= COLORED_STEPS and found.ramp <= COLORED_RAMP
    few = FEW_RAMP + RAMP_OF_STEPS * found.steps
    limit = HARD_RAMP if _is_drawn(found, lossy=False) else min(HARD_RAMP, few)
    return found.steps >= LEAST_STEPS and found.ramp <= limit


def _is_drawn(found: ContentMeasures, *, lossy: bool) -> bool:
    if lossy:
        shares = (math.sqrt(found.edges), math.sqrt(found.steps), math.sqrt(found.lone), found.flat, found.paper)
        return sum(weight * share for weight, share in zip(DRAWN_WEIGHTS, shares, strict=True)) > 1
    return found.flat >= FLAT_SHARE and found.edges >= CRISP_SHARE * (1 - found.flat)


def measure(picture: Picture, tolerance: int = 0) -> ContentMeasures:
    """Return the measures of a sample of the picture, in which values that differ by at most `tolerance` count as equal."""
    sample = np.stack([_eight_bits(patch) for patch in _patches(picture.samples)])[..., : picture.color.shape[2]]
    luma = _luma(sample)
    counts = _counted(luma, tolerance) + _counted(luma.swapaxes(1, 2), tolerance)
    positions, edges, lone, equal, neighbours = (int(count) for count in counts)
    places, steps, ramps = _stepped(luma, tolerance) + _stepped(luma.swapaxes(1, 2), tolerance)
    return ContentMeasures(
        colors=np.unique(_codes(sample)).size,
        steps=float(steps / max(1, places)),
        ramp=float(ramps / max(1, steps)),
        edges=edges / max(1, positions),
        lone=lone / max(1, positions),
        flat=equal / max(1, neighbours),
        paper=_paper(np.bincount(luma.ravel(), minlength=256), tolerance),
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
    """Return the positions, edges, lone pixels, equal neighbours and neighbours along the rows of (N, H, W)."""
    steps = np.diff(luma, axis=2)
    before, after = steps[..., :-1], steps[..., 1:]
    edge = np.abs(before + after) >= max(EDGE_STEP, 5 * tolerance)
    lone = ((before > 0) != (after > 0)) & (np.minimum(np.abs(before), np.abs(after)) >= LONE_STEP)
    equal = np.abs(steps) <= tolerance
    return np.array((edge.size, edge.sum(), lone.sum(), equal.sum(), equal.size), np.int64)


def _stepped(luma: NDArray[np.int16], tolerance: int) -> NDArray[np.float64]:
    """Return the places, the steps that change along their edge, and the sum of their ramps, along the rows of (N, H, W).

    A ramp is the larger of the two neighbouring steps in the same direction, less what JPEG may have moved, as a share of the step.
    """
    steps = np.diff(luma, axis=2)
    middle = steps[..., 1:-1]
    changing = np.pad(
        np.abs(np.diff(middle, axis=1)) >= STEP, ((0, 0), (1, 1), (0, 0))
    )  # from the row above, and to the one below
    counts = (np.abs(middle) >= STEP) & (changing[:, 1:] | changing[:, :-1])
    step, ahead = middle[counts], np.maximum(steps[..., :-2] * np.sign(middle), steps[..., 2:] * np.sign(middle))[counts]
    size = np.abs(step)
    ramps = np.clip(ahead - tolerance // 4, 0, size) / size
    return np.array((middle.size, size.size, ramps.sum()))


def _paper(shades: NDArray[np.int64], tolerance: int) -> float:
    """Return the share of the most frequent shade of a histogram, with those that count as equal."""
    window = np.ones(2 * tolerance + 1, np.int64)
    return float(np.convolve(shades, window, "same").max() / shades.sum())
