"""Image files that another library writes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pillow() -> Callable[..., bytes]:
    """Return a function: `pillow(pixels, "PNG", mode="P", **options)` returns the bytes that Pillow writes."""

    def make(pixels: Any, format: str, mode: str | None = None, **options: Any) -> bytes:
        image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
        buffer = io.BytesIO()
        (image if mode is None else image.convert(mode)).save(buffer, format, **options)
        return buffer.getvalue()

    return make
