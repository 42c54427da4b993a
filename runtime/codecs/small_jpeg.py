"""JPEG files of small pictures by Pillow, without the threads that libvips starts for each file.

Both use libjpeg-turbo, so the pixels are the same. Of a picture of 128x128, libvips takes 0.9 ms and Pillow 0.2 ms.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from PIL import Image

from upconv.runtime.codecs import metadata, profiles
from upconv.runtime.codecs.jpeg_segments import LONGEST, with_segment
from upconv.runtime.resampling import to_samples

MOST_PX = 1 << 20
"""Most pixels of a small picture. Beyond, Pillow saves little time, and libvips ends soon after a cancellation."""
_FULL_CHROMA = 90
"""Quality from which on the chroma samples are not reduced, as libvips decides it."""
_XMP_START = b"http://ns.adobe.com/xap/1.0/\0"


def suits(image: Any, saver: str, options: Mapping[str, Any]) -> bool:
    """Return whether a libvips image is a small one for JPEG, whose metadata fit into one segment each."""
    if saver != "jpegsave_buffer" or image.width * image.height > MOST_PX:
        return False
    return all(len(body) <= LONGEST for _, body in _segments(image, options["keep"]))


def save(image: Any, options: Mapping[str, Any]) -> bytes:
    """Return the JPEG file of a libvips image that `suits`, without a JFIF segment. Raises `pyvips.Error` if libvips fails."""
    samples, file, quality = to_samples(image), io.BytesIO(), options["Q"]
    pixels = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    profile = image.get(profiles.FIELD) if image.get_typeof(profiles.FIELD) else None
    pixels.save(file, "JPEG", quality=quality, subsampling=0 if quality >= _FULL_CHROMA else 2, icc_profile=profile)
    data = file.getvalue()
    data = data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]  # JFIF would state no resolution
    for marker, body in _segments(image, options["keep"]):
        data = with_segment(data, marker, body)
    return data


def _segments(image: Any, keep: int) -> list[tuple[int, bytes]]:
    """Return the marker and the body of each segment for the metadata of a libvips image, the last one first."""
    kinds = (("IPTC", metadata.IPTC, 0xED, b""), ("XMP", metadata.XMP, 0xE1, _XMP_START))
    kept = [entry for entry in kinds if keep & metadata.KEEP[entry[0]] and image.get_typeof(entry[1])]
    return [(marker, start + image.get(field)) for _, field, marker, start in kept]
