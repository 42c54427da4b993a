from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from upconv.export.repositories import REPOSITORIES, RepositoryOptions, ServedFile, add
from upconv.runtime.errors import ExportError, OutputError

Artifact = Callable[..., ServedFile]
TRITON = REPOSITORIES["triton"]


def test_models_are_added_and_replaced(artifact: Artifact, tmp_path: Path) -> None:
    add([artifact()], TRITON, tmp_path / "repository", RepositoryOptions())
    other = artifact("bicubic-x2")
    written = add([replace(other, name="photo-s-x2"), other], TRITON, tmp_path / "repository", RepositoryOptions())
    assert written.as_dict()["models"] == ("photo-s-x2", "bicubic-x2")
    assert str(written) == f"{tmp_path / 'repository'}: photo-s-x2, bicubic-x2 for triton, 10 files"
    files = sorted(path.relative_to(tmp_path / "repository").as_posix() for path in (tmp_path / "repository").rglob("*.*"))
    assert sorted(written.paths) == [path for path in files if "/" in path]
    assert (tmp_path / "repository/photo-s-x2/1/model.onnx").read_bytes() == other.content


def test_nothing_is_written_if_one_model_cannot_be_served(artifact: Artifact, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="several models are named photo-s-x2"):
        add([artifact(), artifact()], TRITON, tmp_path, RepositoryOptions())
    with pytest.raises(ExportError, match="int8"):
        add([artifact(), artifact("photo-s-x2.int8")], TRITON, tmp_path, RepositoryOptions(tensorrt=True))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(artifact: Artifact, tmp_path: Path) -> None:
    (tmp_path / "photo-s-x2").write_text("a file")
    with pytest.raises(OutputError, match="photo-s-x2"):
        add([artifact()], TRITON, tmp_path, RepositoryOptions())
