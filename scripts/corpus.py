"""List the pictures of folders that upconv and Pillow decode differently. The exit code is 1 if there are any.

Compared are size, orientation, opacity, the mean colours of a grid of fields, the presence of a profile, and the depth of grey.
Colours that Pillow does not convert as a viewer does (CMYK, CIELAB, floating point, profiles of other channels) are not compared.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, ImageOps

from upconv.runtime import codecs
from upconv.runtime.errors import UpconvError
from upconv.runtime.picture import Picture

pillow_heif.register_heif_opener()

FIELDS = 8
"""The number of fields along a side."""
TOLERANCE = 3.0
"""The largest difference between means, in 8-bit steps. Decoders of JPEG and chroma subsampling differ by less."""
MOST_PIXELS = 30_000_000
OTHER_PLACES = ("xmp", "XML:com.adobe.xmp", "Raw profile type exif", "Raw profile type APP1")
"""Places of an orientation that Pillow heeds, and viewers do not."""
KEYED = ("L", "I", "I;16", "I;16B", "RGB;16")
"""Modes whose transparent colour Pillow does not scale with the pixels."""
NO_OPACITY = "opacity of 0 everywhere ignored"
"""The conversion of a BMP whose opacity Pillow keeps, so that nothing is visible."""
UNCOMPARED = ("CMYK", "LAB", "F", "I", "HSV")
"""Pillow's modes that it converts to RGB differently."""


def main(folders: list[Path]) -> int:
    """Compare all files of the folders, print the differences and the counts, and return the exit code."""
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None
    counts = {"equal": 0, "different": 0, "refused": 0, "read by upconv alone": 0}
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        data = path.read_bytes()
        if codecs.sniff(data) is not None:
            kind, lines = judge(data)
            counts[kind] += 1
            for line in lines:
                print(f"{path}: {line}")
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return int(counts["different"] > 0)


def judge(data: bytes) -> tuple[str, list[str]]:
    """Return the kind of a result, as `main` counts it, and the differences."""
    try:
        picture = codecs.decode(data, MOST_PIXELS)
    except UpconvError as error:
        return "refused", [f"refused: {error}"]
    try:
        other: Image.Image = Image.open(io.BytesIO(data))
        profile = bool(other.info.get("icc_profile"))
        keyed = "transparency" in other.info and other.mode in KEYED
        for place in OTHER_PLACES:
            other.info.pop(place, None)
        other = ImageOps.exif_transpose(other)
        other.load()
    except Exception:
        return "read by upconv alone", []
    lines = list(differences(picture, other, profile=profile, keyed=keyed))
    return ("different" if lines else "equal"), lines


def differences(picture: Picture, other: Image.Image, *, profile: bool, keyed: bool = False) -> Iterator[str]:
    """Yield a phrase for each difference between a picture and Pillow's."""
    if (picture.width, picture.height) != other.size:
        yield f"{picture.width}x{picture.height} instead of {other.size[0]}x{other.size[1]}"
        return
    said = " ".join(picture.conversions)
    if profile and picture.metadata.icc is None and "profile dropped" not in said and "converted to sRGB" not in said:
        yield "has a profile, which is lost silently"
    if other.mode.startswith("I;16") and picture.samples.itemsize == 1:
        yield "has 16 bits instead of 8"
    if other.mode not in UNCOMPARED and not keyed and NO_OPACITY not in said:
        ours, theirs = means(_ours(picture)), means(_theirs(other))
        opacity, color = np.abs(ours - theirs)[..., 3].max(), np.abs(ours - theirs)[..., :3].max()
        if opacity > TOLERANCE:
            yield f"opacity differs by up to {opacity:.0f}"
        if color > TOLERANCE:
            yield f"colours differ by up to {color:.0f} ({other.mode})"


def means(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of a grid of fields, of pixels (H, W, 4) whose colours are multiplied by the opacity."""
    rows, columns = (np.linspace(0, side, min(FIELDS, side) + 1).astype(int)[:-1] for side in pixels.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, pixels.shape[0]]), np.diff([*columns, pixels.shape[1]]))
    found: NDArray[np.float32] = sums / counts[..., None]
    return found


def _ours(picture: Picture) -> NDArray[np.float32]:
    samples = picture.samples.astype(np.float32) / (257 if picture.samples.itemsize == 2 else 1)
    color = np.broadcast_to(samples[..., : picture.color.shape[2]], (*samples.shape[:2], 3))
    return _multiplied(color, samples[..., -1:] if picture.has_alpha else np.full((*samples.shape[:2], 1), 255, np.float32))


def _theirs(image: Image.Image) -> NDArray[np.float32]:
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image)[..., None] / 257).astype(np.float32)
        return _multiplied(np.repeat(grey, 3, axis=2), np.full(grey.shape, 255, np.float32))
    image = image.convert("LA") if image.mode == "La" else image
    pixels = np.asarray(image.convert("RGBA")).astype(np.float32)
    return _multiplied(pixels[..., :3], pixels[..., 3:])


def _multiplied(color: NDArray[Any], opacity: NDArray[Any]) -> NDArray[np.float32]:
    return np.concatenate([color * (opacity / 255), opacity], axis=2)


if __name__ == "__main__":
    sys.exit(main([Path(given) for given in sys.argv[1:]]))
