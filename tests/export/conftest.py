"""An export into the test's own folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import onnx
import pytest
from torch import nn

from upconv.export import Artifact, from_module, to_onnx


class Exported(Protocol):
    """Exports a module and reads the file back."""

    def __call__(
        self, module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model"
    ) -> tuple[Artifact, onnx.ModelProto]: ...


@pytest.fixture
def exported(tmp_path: Path) -> Exported:
    """An export into the test's own folder."""

    def run(module: nn.Module, shape: tuple[int, ...] | None = None, name: str = "model") -> tuple[Artifact, onnx.ModelProto]:
        artifact = to_onnx(from_module(module, name=name, shape=shape), out=tmp_path / f"{name}.onnx")
        return artifact, onnx.load(artifact.path)

    return run
