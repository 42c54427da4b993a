"""Training pairs from a folder of images: patches, and the same patches downscaled by antialiased bicubic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
Pixels = NDArray[np.uint8]
Degrade = Callable[[Pixels, np.random.Generator], Pixels]
Generate = Callable[[int, int, np.random.Generator], "tuple[Pixels, Pixels] | None"]
"""Function of scale, patch side and generator that returns a generated pair, or `None` for a patch of a photograph."""


def image_paths(folder: Path) -> list[Path]:
    """Return every image file below `folder`, sorted. Raises `FileNotFoundError` if there is none."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no images ({', '.join(sorted(SUFFIXES))}) below {folder}")
    return paths


def load_image(path: Path, *, sharpen: bool) -> Image.Image:
    """Read an image file as RGB.

    If `sharpen`, a large image is downscaled, because many photographs are soft at full size: by 0.5 if the longer side
    has at least 1600 pixels, by 0.67 if it has at least 900.
    """
    with Image.open(path) as file:
        image = file.convert("RGB")
    return sharpened(image) if sharpen else image


def sharpened(image: Image.Image) -> Image.Image:
    """Return an image downscaled as in `load_image`."""
    longer = max(image.size)
    return _reduced(image, 0.5 if longer >= 1600 else 0.67 if longer >= 900 else 1.0)


def low_high(image: Image.Image, scale: int) -> tuple[Pixels, Pixels]:
    """Return an image as the pair (low, high): (h, w, 3) and (scale*h, scale*w, 3).

    The image is cropped to a multiple of `scale`, then downscaled by antialiased bicubic.
    """
    width, height = image.width // scale, image.height // scale
    high = image.crop((0, 0, width * scale, height * scale))
    low = high.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(low), np.asarray(high)


@dataclass(frozen=True)
class Patches:
    """Random patches of photographs. They depend on the step number, so that a resumed run draws the same."""

    pairs: list[tuple[Pixels, Pixels]]
    """Low and high resolution of each photograph."""
    places: NDArray[np.int64]
    """(P, 3): photograph, row and column of each usable patch, in low-resolution pixels."""
    scale: int
    patch_px: int
    degrade: Degrade | None = None
    """Function that is applied to each low-resolution patch. `None` for none."""
    generate: Generate | None = None
    """Function that replaces some patches by generated ones. `None` for none."""

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        scale: int,
        patch_px: int,
        keep: float,
        reductions: Sequence[float] = (1.0,),
        degrade: Degrade | None = None,
        generate: Generate | None = None,
    ) -> Patches:
        """Return the patches of the images below `folder`, each image downscaled by every factor of `reductions`.

        Only the share `keep` with the strongest gradients is used. Raises `ValueError` if all images are too small, and
        `FileNotFoundError` if there is none.
        """
        images = (load_image(path, sharpen=True) for path in image_paths(folder))
        try:
            reduced = (_reduced(i, by) for i in images for by in reductions)
            return cls.from_images(reduced, scale, patch_px, keep, degrade, generate)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error

    @classmethod
    def from_images(
        cls,
        images: Iterable[Image.Image],
        scale: int,
        patch_px: int,
        keep: float,
        degrade: Degrade | None = None,
        generate: Generate | None = None,
    ) -> Patches:
        """Return the patches of images in memory. Raises `ValueError` if all are too small."""
        pairs = [low_high(image, scale) for image in images]
        candidates = list(_candidates(pairs, patch_px))
        if not candidates:
            raise ValueError(f"no image has {patch_px * scale} pixels on both sides")
        places = np.array([place for place, _ in candidates], dtype=np.int64)
        strength = np.array([gradient for _, gradient in candidates])
        return cls(pairs, places[strength >= np.quantile(strength, 1 - keep)], scale, patch_px, degrade, generate)

    def batch(self, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        """Return the batch of one step: (size, 3, p, p) and (size, 3, scale*p, scale*p), float32 in [0, 1]."""
        random = np.random.default_rng([seed, step])
        drawn = [self._patch(place, random) for place in random.choice(self.places, size)]
        return _as_tensor(low for low, _ in drawn), _as_tensor(high for _, high in drawn)

    def _patch(self, place: NDArray[np.int64], random: np.random.Generator) -> tuple[Pixels, Pixels]:
        generated = self.generate(self.scale, self.patch_px, random) if self.generate else None
        low, high = generated or self._photographed(place, random)
        return (low if self.degrade is None else self.degrade(np.ascontiguousarray(low), random)), high

    def _photographed(self, place: NDArray[np.int64], random: np.random.Generator) -> tuple[Pixels, Pixels]:
        index, row, column = (int(v) for v in place)
        low, high = self.pairs[index]
        row = _jitter(row, low.shape[0], self.patch_px, random)
        column = _jitter(column, low.shape[1], self.patch_px, random)
        side, scale = self.patch_px, self.scale
        turn, mirror = int(random.integers(4)), bool(random.integers(2))
        a = low[row : row + side, column : column + side]
        b = high[row * scale : (row + side) * scale, column * scale : (column + side) * scale]
        return _turned(a, turn, mirror), _turned(b, turn, mirror)


def _reduced(image: Image.Image, by: float) -> Image.Image:
    if by == 1.0:
        return image
    return image.resize((round(image.width * by), round(image.height * by)), Image.Resampling.BICUBIC)


def _candidates(pairs: Iterable[tuple[Pixels, Pixels]], patch_px: int) -> Iterator[tuple[tuple[int, int, int], float]]:
    for index, (low, _) in enumerate(pairs):
        luma = low.astype(np.float32).mean(axis=2)
        slope = np.zeros_like(luma)
        slope[:, 1:] += np.abs(np.diff(luma, axis=1))
        slope[1:] += np.abs(np.diff(luma, axis=0))
        for row in range(0, luma.shape[0] - patch_px + 1, patch_px // 2):
            for column in range(0, luma.shape[1] - patch_px + 1, patch_px // 2):
                yield (index, row, column), float(slope[row : row + patch_px, column : column + patch_px].mean())


def _jitter(start: int, length: int, patch_px: int, random: np.random.Generator) -> int:
    quarter = patch_px // 4
    return int(np.clip(start + random.integers(-quarter, quarter + 1), 0, length - patch_px))


def _turned(pixels: Pixels, turn: int, mirror: bool) -> Pixels:
    turned = np.rot90(pixels, turn)
    return turned[:, ::-1] if mirror else turned


def _as_tensor(patches: Iterable[Pixels]) -> Tensor:
    stacked = np.stack([np.ascontiguousarray(p) for p in patches])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float().div_(255)
