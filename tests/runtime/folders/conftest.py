"""A fast upscaler, and folders of small pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from upconv.runtime import Upscaler, codecs
from upconv.runtime.picture import Picture


@pytest.fixture(scope="module")
def doubler(nearest_x2: Path) -> Iterator[Upscaler]:
    """Return an upscaler that repeats each pixel."""
    with Upscaler(nearest_x2, workers=2, tile_px=16) as upscaler:
        yield upscaler


@pytest.fixture
def album(tmp_path: Path) -> Callable[..., Path]:
    """Return a function: `album("a.png", "day/b.jpg")` makes a folder with these pictures, each of another grey."""

    def make(*names: str) -> Path:
        folder = tmp_path / "album"
        folder.mkdir(exist_ok=True)
        for n, name in enumerate(names):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            format = codecs.SUFFIXES[path.suffix.lower()]
            samples = np.full((6, 8, 3), 10 * n + 10, np.uint8)
            if format == "gif":
                path.write_bytes(codecs.encode_frames(codecs.Animation(Picture(samples), (100,)), "gif")[0])
            else:
                path.write_bytes(codecs.encode(Picture(samples), format)[0])
        return folder

    return make
