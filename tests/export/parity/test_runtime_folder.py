from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from upconv.export.parity.comparison import compare
from upconv.export.parity.runtime_folder import runtimes_in
from upconv.export.parity.subject import from_file
from upconv.runtime.errors import ParameterError


def environment(folder: Path, name: str) -> Path:
    """Make what stands for a virtual environment: a program that starts this Python."""
    python = folder / name / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return python


def test_each_folder_is_a_backend(tmp_path: Path, file: Path) -> None:
    environment(tmp_path, "onnxruntime-1.20.1")
    environment(tmp_path, "onnxruntime-webgpu")
    (tmp_path / "other").mkdir()
    (tmp_path / "onnxruntime-file").touch()
    assert [runtime.name for runtime in runtimes_in(tmp_path)] == ["onnxruntime-1.20.1", "onnxruntime-webgpu"]
    comparison = compare(from_file(file), backends=["onnxruntime-1.20.1", "onnxruntime-webgpu"], runtimes=tmp_path)
    assert [(row.name, row.status, row.backend) for row in comparison.rows] == [
        ("onnxruntime-1.20.1", "equal", "onnxruntime-1.20.1 cpu"),
        ("onnxruntime-webgpu", "equal", "onnxruntime-webgpu cpu"),  # in place of the built-in backend of this name
    ]


def test_a_folder_without_a_runtime_is_missing_with_the_reason(tmp_path: Path, file: Path) -> None:
    (tmp_path / "onnxruntime-1.27.0").mkdir()
    comparison = compare(from_file(file), backends=["onnxruntime-1.27.0", "onnxruntime:all"], runtimes=tmp_path)
    row = next(row for row in comparison.rows if row.name == "onnxruntime-1.27.0")
    assert row.status == "missing"
    assert row.said.endswith(
        "is neither a virtual environment nor a folder with node_modules/onnxruntime-web; make it again with scripts/runtimes"
    )


def test_an_environment_without_onnxruntime_is_missing(tmp_path: Path, file: Path) -> None:
    python = environment(tmp_path, "onnxruntime-bare")
    python.write_text('#!/bin/sh\nshift 2\nexec python3 -I -S "$0.py" "$@"\n')
    python.with_name("python.py").write_text('print(\'{"missing": "its environment cannot load onnxruntime"}\')')
    comparison = compare(from_file(file), backends=["onnxruntime-bare", "onnxruntime:all"], runtimes=tmp_path)
    assert next(row for row in comparison.rows if row.name == "onnxruntime-bare").status == "missing"


def test_node_is_asked_for_if_it_is_not_there(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnxruntime-web" / "node_modules" / "onnxruntime-web").mkdir(parents=True)
    monkeypatch.setenv("PATH", "")
    (runtime,) = runtimes_in(tmp_path)
    assert runtime.missing(from_file(file)) == "node is not installed; install Node.js 20 or later"


def test_a_folder_that_holds_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"holds no runtime; expected folders such as onnxruntime-1.20.1"):
        runtimes_in(tmp_path)
    with pytest.raises(ParameterError, match=r"cannot read the runtimes in .*: No such file or directory"):
        runtimes_in(tmp_path / "gone")
