from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def folder(tmp_path: Path, photograph: Callable[[int, int], np.ndarray]) -> Path:
    """A folder of three small photographs."""
    path = tmp_path / "photographs"
    path.mkdir()
    for n in range(3):
        Image.fromarray(photograph(61 + n, 75)).save(path / f"{n}.png")
    return path
