from __future__ import annotations

import os
from pathlib import Path

import pytest

from upconv.service import Settings
from upconv.service.model_files import ModelFile, model_files, signature


def test_files_and_versions_in_order(tmp_path: Path) -> None:
    for name in ("b.onnx", "a.onnx", ".hidden.onnx", "net/2/model.onnx", "net/10/model.onnx", "art/1/model.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    single = Path("/elsewhere/c.onnx")
    assert model_files(Settings(models=(single, tmp_path))) == [
        ModelFile(single),
        ModelFile(tmp_path / "a.onnx"),
        ModelFile(tmp_path / "b.onnx"),
        ModelFile(tmp_path / "art/1/model.onnx", "art", "1"),
        ModelFile(tmp_path / "net/2/model.onnx", "net", "2"),
        ModelFile(tmp_path / "net/10/model.onnx", "net", "10"),
    ]


@pytest.mark.parametrize("version", ["0", "01", "x", "-1", "²", "1" * 19])
def test_other_folders_are_no_versions(tmp_path: Path, version: str) -> None:
    (tmp_path / "net" / version).mkdir(parents=True)
    (tmp_path / "net" / version / "model.onnx").touch()
    assert model_files(Settings(models=(tmp_path,))) == []


def test_only_regular_files_have_a_signature(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    os.mkfifo(tmp_path / "pipe")
    found = signature(tmp_path / "file")
    assert found is not None
    assert found.bytes == 3
    assert signature(tmp_path / "pipe") is signature(tmp_path) is signature(tmp_path / "missing") is None
