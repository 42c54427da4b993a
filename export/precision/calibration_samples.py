"""Samples for calibration and for the quality gate.

The inputs are photographs that are reduced by the model's scale. The photographs themselves are the truths.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from upconv.export.backends import Array
from upconv.export.pictures import PHOTOGRAPHS
from upconv.runtime.codecs import read
from upconv.runtime.contract import Contract, Pixels
from upconv.runtime.errors import ParameterError, first_line
from upconv.runtime.libvips import pyvips
from upconv.runtime.tiled_picture import samples_to_tensor
from upconv.runtime.tiling import surroundings

SIDE_PX = 96
"""The largest side of an input: large enough for typical values, small enough for many runs of a deep model."""

MOST = 32
"""The most samples that are used from a folder."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif")
"""The file names of pictures in a folder."""


@dataclass(frozen=True)
class CalibrationSamples:
    """The inputs that determine the ranges of a quantized model, with the ideal outputs if they are known."""

    inputs: tuple[tuple[Array, ...], ...]
    """The samples. Each holds one array for each of the model's inputs."""
    truths: tuple[Array, ...] | None = None
    """The ideal output of each sample; `None` if it is not known."""
    bounds: tuple[float, float] | None = None
    """The values of black and white, if the input is a picture. In 8 bits, they make the input of a quantized model exact."""


def from_folder(folder: Path | None, contract: Contract, inputs: int = 1) -> CalibrationSamples:
    """Return the samples in a folder, or the project's photographs if `folder` is `None`.

    Pictures are for a model that upscales pictures. Any other model needs `.npy` files, or `.npz` files that hold an
    array for each input, in order. Raises `ParameterError` if there are no samples for the model.
    """
    place = folder or PHOTOGRAPHS
    if not place.is_dir():
        raise ParameterError(f"there is no folder {place} to calibrate on; give a folder of samples with --calibrate")
    arrays = sorted((*place.glob("*.np[yz]"),))[:MOST]
    if arrays:
        return CalibrationSamples(tuple(_loaded(path, inputs) for path in arrays))
    if contract.task != "upscale":
        raise ParameterError(f"{contract.name} takes no pictures; give a folder of .npy or .npz inputs with --calibrate")
    pictures = sorted(path for path in place.iterdir() if path.suffix.lower() in SUFFIXES)[:MOST]
    if not pictures:
        raise ParameterError(f"there are no pictures in {place}; expected files ending in {', '.join(SUFFIXES)}")
    return of_pictures((read(path).samples for path in pictures), contract)


def refuse_folder(folder: Path | None, example: Sequence[Array]) -> None:
    """Raise `ParameterError` if `folder` cannot calibrate a model with the inputs of `example`, which takes no export to know."""
    if folder is None:
        return
    if not folder.is_dir():
        raise ParameterError(f"there is no folder {folder} to calibrate on; give a folder of samples with --calibrate")
    arrays = sorted((*folder.glob("*.np[yz]"),))[:MOST]
    for path in arrays:
        for given, wanted in zip(_loaded(path, len(example)), example, strict=True):
            if given.ndim != wanted.ndim or given.dtype != wanted.dtype:
                raise ParameterError(
                    f"{path} holds {given.dtype} of shape {given.shape}, but the model takes {wanted.dtype} such as {wanted.shape}"
                )
    pictures = any(path.suffix.lower() in SUFFIXES for path in folder.iterdir())
    takes_pictures = len(example) == 1 and example[0].ndim == 4 and example[0].shape[1] in (1, 3)
    if not arrays and not pictures:
        raise ParameterError(f"{folder} holds no pictures and no .npy or .npz files to calibrate on; put samples into it")
    if not arrays and not takes_pictures:
        raise ParameterError("the model takes no pictures; give a folder of .npy or .npz inputs with --calibrate")


def of_pictures(pictures: Iterable[Array], contract: Contract) -> CalibrationSamples:
    """Return samples whose truths are these pictures (H, W, C) of 8 or 16 bits.

    The inputs are the pictures, reduced by the model's scale with a bicubic filter. A picture that is too small is left
    out. Raises `ParameterError` if all are too small.
    """
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
        truths.append(_planes(_covered(truth, contract), contract.output))
    if not inputs:
        raise ParameterError(
            f"every picture is smaller than {contract.scale} times the smallest input of {contract.name}; give larger pictures"
        )
    # A model of scale 1 removes noise or blur, which these pictures do not have, so they are no truths for it.
    bounds = (contract.input.low, contract.input.high)
    return CalibrationSamples(tuple(inputs), tuple(truths) if contract.scale > 1 else None, bounds)


def _covered(truth: Array, contract: Contract) -> Array:
    """Return the part of a picture that the output covers if the reduced picture is the whole input, context included.

    Outputs beyond the picture have its border pixels as truth.
    """
    assert contract.height is not None and contract.width is not None
    laws, around = (contract.height, contract.width), surroundings(contract)
    for axis, (law, side) in enumerate(zip(laws, around, strict=True)):
        if law.offset:
            first = contract.scale * side.before - side.crop_before
            length = truth.shape[axis]
            truth = truth.take(np.arange(first, first + length + law.offset).clip(0, length - 1), axis)
    return truth


def _planes(samples: Array, pixels: Pixels) -> Array:
    """Return the colour of samples (H, W, C) as a tensor (1, C, H, W)."""
    return samples_to_tensor(samples[..., : 3 if samples.shape[-1] > 2 else 1], pixels)[None]


def _loaded(path: Path, inputs: int) -> tuple[Array, ...]:
    try:
        loaded = np.load(path, allow_pickle=False)
        stored: Sequence[Array] = [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    except Exception as error:  # zips, headers and pickles each raise their own errors
        raise ParameterError(f"{path} cannot be read: {first_line(error)}; save the samples with numpy.save") from error
    arrays = [array.astype(np.float32) if array.dtype.kind == "f" else array for array in stored]
    if len(arrays) != inputs:
        raise ParameterError(f"{path} holds {len(arrays)} arrays; the model has {inputs} inputs")
    return tuple(arrays)
