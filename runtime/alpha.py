"""Filling of the colour of transparent pixels.

Without it, their colour shows as a fringe around visible edges after upscaling.


Transparent pixels take the mean colour of the visible pixels around them. The means form a pyramid, weighted by opacity
and filled from the coarsest level (pull-push: Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.cancellation import Cancellation
from upconv.runtime.picture import Picture, Samples
from upconv.runtime.resampling import enlarged, stoppable, to_image, to_samples

BLOCK_PX = 4
"""Side of the blocks of the finest level, in pixels. Smaller blocks take more memory and do not reduce the fringe."""

Means = NDArray[np.float32]


def bleed_color(picture: Picture, cancellation: Cancellation | None = None) -> Samples:
    """Return the picture's colour, (H, W, 1 or 3), with fully transparent pixels filled from visible ones.

    Raises `Cancelled` soon after a cancellation.
    """
    alpha = picture.alpha
    if alpha is None or alpha.all() or not alpha.any():
        return picture.color
    blocks = to_image(picture.samples).premultiply(max_alpha=picture.white).shrink(BLOCK_PX, BLOCK_PX, ceil=True)
    with stoppable(blocks, cancellation) as (stopped, _):
        means: Any = np.frombuffer(stopped.write_to_memory(), np.float32)
    # The weights have the unit of samples, so that the colours come out relative to white.
    spread = _filled(means.reshape(blocks.height, blocks.width, blocks.bands)) * picture.white
    image = to_image(picture.samples)  # a second image, because spooled samples can be read only once
    colors = image.extract_band(0, n=image.bands - 1)
    return to_samples((image[-1] > 0).ifthenelse(colors, _as_large(spread, image)), cancellation)


def _filled(means: Means) -> Means:
    """Return (h, w, colours) from (h, w, premultiplied colours and weight), with no pixel empty.

    At least one weight must be above 0.
    """
    weight = means[..., -1:]
    colors = np.where(weight > 0, means[..., :-1] / np.maximum(weight, 1e-6), 0).astype(np.float32)
    if (weight > 0).all():
        return colors
    wider = _filled(_halved(means)).repeat(2, axis=0).repeat(2, axis=1)[: means.shape[0], : means.shape[1]]
    filled: Means = np.where(weight > 0, colors, wider)
    return filled


def _halved(means: Means) -> Means:
    padded = np.pad(means, ((0, means.shape[0] % 2), (0, means.shape[1] % 2), (0, 0)), mode="edge")
    halved: Means = (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / np.float32(4)
    return halved


def _as_large(spread: Means, image: Any) -> Any:
    height, width, channels = spread.shape
    small = image.new_from_memory(np.ascontiguousarray(spread).data, width, height, channels, "float")
    large = enlarged(small, BLOCK_PX * width, BLOCK_PX * height, "bilinear").rint()
    return large.crop(0, 0, image.width, image.height).cast(image.format)
