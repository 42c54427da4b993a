"""The training pictures and the held-out pictures: folders of images, or pictures of scikit-image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from upconv.models.training.comparison.candidates import SCALE
from upconv.models.training.config import TrainingConfig
from upconv.models.training.data import Patches, Pixels, image_paths, low_high, sharpened
from upconv.models.training.evaluation import held_out, middle
from upconv.runtime.errors import ParameterError

Pairs = list[tuple[Pixels, Pixels]]

BUNDLED_TRAINING = ("astronaut", "coffee", "stereo_motorcycle", "immunohistochemistry", "retina", "brick", "grass", "gravel")
BUNDLED_HELD_OUT = ("chelsea", "rocket", "camera", "hubble_deep_field")
"""Names in `skimage.data` that need no download."""

HELD_OUT_PX = 384
"""Side of the middle of a held-out picture on which quality is measured, in pixels."""
CURVE_PX = 128
"""Side for the points of the training curve. It is smaller, because there are many points."""


@dataclass(frozen=True)
class Pictures:
    """The data of a comparison, the same for every candidate."""

    patches: Patches
    curve: Pairs
    """Small crops of the held-out pictures in low and high resolution, for the curve."""
    held_out: Pairs
    names: tuple[str, ...]
    """Names of the held-out pictures, in order."""
    described: str
    """Description of the training pictures and the held-out pictures, for the report."""


def pictures(config: TrainingConfig, training: Path | None = None, validation: Path | None = None) -> Pictures:
    """Return the pictures below two folders, or those of scikit-image if both are `None`.

    Raises `ParameterError` if only one is given, if a folder contains no image, or if a file is in both folders.
    """
    if training is None and validation is None:
        return _bundled(config)
    if training is None or validation is None:
        raise ParameterError("--data and --validation belong together; give both folders or neither")
    try:
        return _of_folders(config, training, validation)
    except (OSError, ValueError) as error:
        raise ParameterError(str(error)) from error


def _of_folders(config: TrainingConfig, training: Path, validation: Path) -> Pictures:
    shared = {p.resolve() for p in image_paths(training)} & {p.resolve() for p in image_paths(validation)}
    if shared:
        raise ParameterError(f"{sorted(shared)[0]} is in both --data and --validation; give folders that share no picture")
    patches = Patches.from_folder(training, SCALE, config.patch_px, config.keep)
    held, curve = (held_out(validation, SCALE, crop_px=side) for side in (HELD_OUT_PX, CURVE_PX))
    described = f"{len(patches.pairs)} pictures of {training.name}/, {len(held)} of {validation.name}/ held out"
    return Pictures(
        patches, curve, held, tuple(p.relative_to(validation).as_posix() for p in image_paths(validation)), described
    )


def _bundled(config: TrainingConfig) -> Pictures:
    patches = Patches.from_images([_picture(name) for name in BUNDLED_TRAINING], SCALE, config.patch_px, config.keep)
    images = [_picture(name) for name in BUNDLED_HELD_OUT]
    held, curve = ([low_high(middle(image, side), SCALE) for image in images] for side in (HELD_OUT_PX, CURVE_PX))
    described = (
        f"{len(BUNDLED_TRAINING)} pictures of scikit-image ({', '.join(BUNDLED_TRAINING)}), "
        f"{len(BUNDLED_HELD_OUT)} others held out ({', '.join(BUNDLED_HELD_OUT)})"
    )
    return Pictures(patches, curve, held, BUNDLED_HELD_OUT, described)


def _picture(name: str) -> Image.Image:
    loaded = getattr(data, name)()
    pixels = loaded[0] if isinstance(loaded, tuple) else loaded  # the left picture of a stereo pair
    return sharpened(Image.fromarray(np.asarray(pixels)).convert("RGB"))
