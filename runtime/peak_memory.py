"""The predicted memory of one picture, from its passes and the format of its result."""

from __future__ import annotations

from upconv.runtime.codecs import avif_grid
from upconv.runtime.passes import Passes

_BYTES_PER_PIXEL = 4 * (4 + 1)
"""Four channels, each as a float32 value and as an 8-bit sample."""
_ENCODER_BYTES_PER_PIXEL = {("webp", False): 10, ("webp", True): 42, ("avif", False): 40, ("avif", True): 40}
"""Memory of the encoders that hold the whole result, by format and true for lossless, measured at 2 to 6 megapixels. Of AVIF
beyond `WHOLE_PX`, they hold a part."""


def peak_bytes(passes: Passes, result: str, lossless: bool) -> int:
    """Return the predicted peak memory of a picture that takes these passes and is written in the format `result`."""
    across, down = passes.output_size
    held = min(across * down, avif_grid.WHOLE_PX) if result == "avif" else across * down
    return passes.largest_px * _BYTES_PER_PIXEL + held * _ENCODER_BYTES_PER_PIXEL.get((result, lossless), 0)
