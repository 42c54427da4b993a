from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from upconv.export.repositories import ServedFile

ARTIFACTS = Path(__file__).parents[3] / "models" / "artifacts"


@pytest.fixture
def artifact() -> Callable[..., ServedFile]:
    """Return a bundled file, with changes to its contract."""

    def read(name: str = "photo-s-x2", **changes: Any) -> ServedFile:
        served = ServedFile.read(ARTIFACTS / f"{name}.onnx")
        return replace(served, contract=served.contract.model_copy(update=changes))

    return read
