"""Files made by other programs than the one that is tested."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pillow() -> Callable[..., bytes]:
    """`pillow(pixels, "PNG", mode="P", **options)`: a file's bytes as Pillow writes them."""

    def make(pixels: Any, format: str, mode: str | None = None, **options: Any) -> bytes:
        image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
        buffer = io.BytesIO()
        (image if mode is None else image.convert(mode)).save(buffer, format, **options)
        return buffer.getvalue()

    return make
