"""The samples for calibration and the quality gate: reduced photographs as inputs, the photographs as ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips

from upconv.export.backends import Array
from upconv.export.pictures import PHOTOGRAPHS
from upconv.runtime.codecs import read
from upconv.runtime.contract import Contract, Pixels
from upconv.runtime.errors import ParameterError
from upconv.runtime.tiled_picture import samples_to_tensor

SIDE_PX = 96
"""Largest side of an input, in pixels: enough for the typical values, small enough for many runs of a deep model."""

MOST = 32
"""Largest number of samples from a folder."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif")


@dataclass(frozen=True)
class CalibrationSamples:
    """Inputs, and the ideal outputs if they are known."""

    inputs: tuple[tuple[Array, ...], ...]
    """For each sample, one array per input of the model."""
    truths: tuple[Array, ...] | None = None
    """The ideal output of each sample, or `None`."""


def from_folder(folder: Path | None, contract: Contract, inputs: int = 1) -> CalibrationSamples:
    """Return the pictures in a folder, or the project's own, for a model that upscales pictures; arrays for any other.

    A model of features or latents is calibrated on `.npy` files, or on `.npz` files that hold an array for each input, in
    order. Raises `ParameterError` if there is nothing to calibrate on.
    """
    where = folder or PHOTOGRAPHS
    if not where.is_dir():
        raise ParameterError(f"there is no folder {where} to calibrate on")
    arrays = sorted((*where.glob("*.np[yz]"),))[:MOST]
    if arrays:
        return CalibrationSamples(tuple(_loaded(path, inputs) for path in arrays))
    if contract.task != "upscale":
        raise ParameterError(f"{contract.name} takes no pictures; give a folder of .npy or .npz inputs with --calibrate")
    pictures = sorted(path for path in where.iterdir() if path.suffix.lower() in SUFFIXES)[:MOST]
    if not pictures:
        raise ParameterError(f"there are no pictures in {where} ({', '.join(SUFFIXES)})")
    return of_pictures((read(path).samples for path in pictures), contract)


def of_pictures(pictures: Iterable[Array], contract: Contract) -> CalibrationSamples:
    """Return pictures (H, W, C) of 8 or 16 bits as ground truth, and reduced by the model's scale (bicubic) as inputs."""
    assert contract.input is not None and contract.output is not None
    assert contract.height is not None and contract.width is not None
    inputs, truths = [], []
    for picture in pictures:
        rows, columns = (
            law.fitted_down(min(SIDE_PX, length // contract.scale)) or 0
            for length, law in zip(picture.shape, (contract.height, contract.width), strict=False)
        )
        truth = picture[: rows * contract.scale, : columns * contract.scale]
        if rows == 0 or columns == 0 or truth.shape[:2] != (rows * contract.scale, columns * contract.scale):
            continue
        small = pyvips.Image.new_from_array(np.ascontiguousarray(truth)).resize(1 / contract.scale, kernel="cubic").numpy()
        inputs.append((_planes(small, contract.input),))
        truths.append(_planes(truth, contract.output))
    if not inputs:
        raise ParameterError(f"every picture is smaller than what {contract.name} takes, times {contract.scale}")
    return CalibrationSamples(tuple(inputs), tuple(truths))


def _planes(samples: Array, pixels: Pixels) -> Array:
    """Return the colour of samples (H, W, C) as a tensor (1, C, H, W)."""
    return samples_to_tensor(samples[..., : 3 if samples.shape[-1] > 2 else 1], pixels)[None]


def _loaded(path: Path, inputs: int) -> tuple[Array, ...]:
    loaded = np.load(path, allow_pickle=False)
    arrays: Sequence[Array] = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    if len(arrays) != inputs:
        raise ParameterError(f"{path} holds {len(arrays)} arrays; the model has {inputs} inputs")
    return tuple(arrays)
