"""The quality of an upscaler, by the protocol of the super-resolution literature.

The measures use BT.601 luma in studio range, without a border of `scale` pixels. Low resolution is made by antialiased bicubic
(Timofte et al., "A+", ACCV 2014).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.metrics import structural_similarity

from upconv.models.training.data import Pixels, image_paths, load_image, low_high
from upconv.models.training.degradation import jpeg

Enlarge = Callable[[Pixels], Pixels]

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Pillow's interpolations that a model is compared with."""

SMALLEST_PX = 32
"""Smallest side of a picture that can be measured. A smaller one has too few pixels besides border and window."""


@dataclass(frozen=True)
class Score:
    """Mean PSNR-Y over the images of a folder, in dB."""

    psnr_y: float
    bicubic_psnr_y: float
    images: int

    @property
    def gain(self) -> float:
        """Return the difference from bicubic, in dB."""
        return self.psnr_y - self.bicubic_psnr_y


@dataclass(frozen=True)
class ImageQuality:
    """The similarity of results to the originals, as means over images."""

    psnr_y: float
    """Peak signal-to-noise ratio of luma, in dB."""
    ssim_y: float
    """Structural similarity of luma. It is 1 if both are equal."""


def luma(pixels: Pixels) -> NDArray[np.float64]:
    """Return the BT.601 luma, (H, W) in [16, 235], of RGB pixels (H, W, 3) in [0, 255].

    The formula is that of ITU-R BT.601-7, section 2.5.
    """
    weighted: NDArray[np.float64] = pixels.astype(np.float64) @ np.array([65.481, 128.553, 24.966])
    return 16 + weighted / 255


def psnr_y(result: Pixels, truth: Pixels, border: int) -> float:
    """Return the peak signal-to-noise ratio of luma in dB, infinite if both are equal.

    `border` pixels are left out on every side. Raises `ValueError` if the shapes differ.
    """
    if result.shape != truth.shape:
        raise ValueError(f"cannot compare pictures of different size: {result.shape} and {truth.shape}")
    difference = luma(result) - luma(truth)
    inner = difference[border : -border or None, border : -border or None]
    error = float(np.mean(inner**2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim_y(result: Pixels, truth: Pixels, border: int) -> float:
    """Return the structural similarity of luma, without `border` pixels on every side.

    The window is an 11x11 Gaussian with a standard deviation of 1.5 pixels (Wang et al., "Image Quality Assessment", IEEE
    Transactions on Image Processing 2004).
    """
    inner = slice(border, -border or None)
    value: float = structural_similarity(  # type: ignore[no-untyped-call]
        luma(result)[inner, inner],
        luma(truth)[inner, inner],
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    return value


def sharpness(result: Pixels, truth: Pixels, border: int) -> float:
    """Return the mean difference between neighbouring pixels of luma, divided by that of the original.

    Below 1, the result is smoother than the original. `border` pixels are left out on every side.
    """
    inner = slice(border, -border or None)
    steepness = [
        sum(float(np.abs(np.diff(luma(pixels)[inner, inner], axis=axis)).mean()) for axis in (0, 1))
        for pixels in (result, truth)
    ]
    return steepness[0] / steepness[1] if steepness[1] else 1.0


def interpolated(low: Pixels, scale: int, kernel: Image.Resampling) -> Pixels:
    """Return `low` (h, w, 3) upscaled to (scale*h, scale*w, 3) by one of Pillow's kernels."""
    height, width = low.shape[:2]
    return np.asarray(Image.fromarray(low).resize((width * scale, height * scale), kernel))


def bicubic(low: Pixels, scale: int) -> Pixels:
    """Return `low` (h, w, 3) upscaled to (scale*h, scale*w, 3) by bicubic interpolation, the baseline."""
    return interpolated(low, scale, Image.Resampling.BICUBIC)


def middle(image: Image.Image, crop_px: int) -> Image.Image:
    """Return the middle of an image, at most `crop_px` pixels per side."""
    width, height = min(image.width, crop_px), min(image.height, crop_px)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def held_out(
    folder: Path, scale: int, *, crop_px: int | None = None, sharpen: bool = True, jpeg_quality: int | None = None
) -> list[tuple[Pixels, Pixels]]:
    """Return the pair (low, high) of every image below `folder`.

    If `crop_px` is not `None`, only the middle is used, at most `crop_px` pixels per side. If `jpeg_quality` is not `None`, the low resolution is compressed as JPEG. Raises `ValueError` if an image is too small.
    """
    return pairs_of(image_paths(folder), scale, crop_px=crop_px, sharpen=sharpen, jpeg_quality=jpeg_quality)


def pairs_of(
    paths: Iterable[Path], scale: int, *, crop_px: int | None = None, sharpen: bool = True, jpeg_quality: int | None = None
) -> list[tuple[Pixels, Pixels]]:
    """Return the pair (low, high) of every image, as `held_out` does."""
    pairs = []
    for path in paths:
        image = load_image(path, sharpen=sharpen)
        if crop_px is not None:
            image = middle(image, crop_px)
        if min(image.size) < SMALLEST_PX:
            raise ValueError(f"{path} has {image.width}x{image.height} pixels; expected at least {SMALLEST_PX} per side")
        low, high = low_high(image, scale)
        pairs.append((low if jpeg_quality is None else jpeg(low, jpeg_quality), high))
    return pairs


def score(enlarge: Enlarge, pairs: list[tuple[Pixels, Pixels]], scale: int) -> Score:
    """Return the mean PSNR-Y of `enlarge` and of bicubic over pairs of low and high resolution.

    `enlarge` maps 8-bit pixels (h, w, 3) to (scale*h, scale*w, 3).
    """
    return Score(
        psnr_y=mean(psnr_y(enlarge(low), high, scale) for low, high in pairs),
        bicubic_psnr_y=mean(psnr_y(bicubic(low, scale), high, scale) for low, high in pairs),
        images=len(pairs),
    )


def compare(enlarge: Enlarge, pairs: list[tuple[Pixels, Pixels]], scale: int) -> dict[str, ImageQuality]:
    """Return the mean quality of `enlarge`, under the name `model`, and of every interpolation, by name."""
    methods: dict[str, Enlarge] = {name: partial(interpolated, scale=scale, kernel=k) for name, k in INTERPOLATIONS.items()}
    methods["model"] = enlarge
    qualities: dict[str, ImageQuality] = {}
    for name, method in methods.items():
        results = [(method(low), high) for low, high in pairs]
        qualities[name] = ImageQuality(
            psnr_y=mean(psnr_y(result, high, scale) for result, high in results),
            ssim_y=mean(ssim_y(result, high, scale) for result, high in results),
        )
    return qualities
