"""The `.bin` file of ncnn: the weights of all layers, in order, without names.

Some weights begin with a tag of four bytes, which states their form:

    0x01306B47    float16
    0x000D4B38    int8
    0x0002C056    float32
    0             float32
    other         a table of 256 float32 numbers, and one byte per weight

Every part is filled up to a multiple of four bytes. See `src/modelbin.cpp` of ncnn.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upconv.runtime.errors import SourceError
from upconv.runtime.rounding import round_up

FLOAT16 = 0x01306B47
"""The tag of float16 weights."""
INT8 = 0x000D4B38
"""The tag of int8 weights."""
FLOAT32 = 0x0002C056
"""The tag of float32 weights of layers that can also hold int8."""

Weights = NDArray[np.float32]


class BinFile:
    """The content of a `.bin` file, read from the start. Numbers are widened to float32."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def tagged(self, count: int, what: str) -> Weights:
        """Return the next `count` weights, which begin with a tag.

        `what` names them in messages. Raises `SourceError` if the file is too short, or if the weights are int8 or hold a
        number that is not finite.
        """
        tag = int(self._taken(1, "<u4", what)[0])
        if tag == INT8:
            raise SourceError(f"{what} has int8 weights, which cannot be exported; give the file that they were quantized from")
        if tag == FLOAT16:
            return _finite(self._taken(count, "<f2", what).astype(np.float32), what)
        if tag in (0, FLOAT32):
            return self.plain(count, what)
        table = self._taken(256, "<f4", what)
        return _finite(table[self._taken(count, "u1", what)].astype(np.float32), what)

    def plain(self, count: int, what: str) -> Weights:
        """Return the next `count` float32 weights, which have no tag; raises `SourceError` as `tagged` does."""
        return _finite(self._taken(count, "<f4", what).astype(np.float32), what)

    def finish(self) -> None:
        """Raise `SourceError` if bytes are left."""
        left = len(self._content) - self._place
        if left:
            raise SourceError(
                f"the .bin file holds {left} bytes more than the layers of the .param file need; the two files do not belong together, so download both again"
            )

    def _taken(self, count: int, kind: str, what: str) -> NDArray[Any]:
        dtype = np.dtype(kind)
        if count < 1:
            raise SourceError(f"{what} states {count} weights; expected at least 1")
        size = round_up(count * dtype.itemsize, 4)
        left = len(self._content) - self._place
        if size > left:
            raise SourceError(
                f"{what} needs {size} bytes of weights, but {left} are left in the .bin file; "
                "it is truncated or does not belong to the .param file, so download both again"
            )
        taken = np.frombuffer(self._content, dtype, count, self._place)
        self._place += size
        return taken


def _finite(weights: Weights, what: str) -> Weights:
    if not np.isfinite(weights).all():
        raise SourceError(f"{what} has weights that are not finite numbers; convert the model again, or download it again")
    return weights
