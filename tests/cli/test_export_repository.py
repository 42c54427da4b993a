from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from upconv.cli.export_repository import is_finished

ARTIFACTS = Path(__file__).parents[2] / "models" / "artifacts"
Command = Callable[..., CompletedProcess[str]]


def test_finished_files_are_added_as_they_are(command: Command, tmp_path: Path) -> None:
    files = [ARTIFACTS / f"{name}.onnx" for name in ("photo-s-x2", "photo-s-x2.int8")]
    done = command("export", *files, "--to", "triton", "-o", tmp_path / "repository", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"] == ["photo-s-x2", "photo-s-x2.int8"]
    for file in files:
        assert (tmp_path / "repository" / file.stem / "1" / "model.onnx").read_bytes() == file.read_bytes()
    done = command("export", files[0], "--to", "ovms", "-o", tmp_path / "ovms")
    assert (done.returncode, done.stdout.strip()) == (0, f"{tmp_path / 'ovms'}: photo-s-x2 for ovms, 2 files")


def test_another_source_is_exported_first(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Upsample(scale_factor=2)\n")
    done = command("export", f"{tmp_path / 'net.py'}:make", "--to", "triton", "-o", tmp_path / "repository", "--quiet")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "repository" / "make" / "1" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.onnx", "b.onnx", "-o", "c.onnx"], "--to onnx writes one model; got 2 sources"),
        (["a.onnx", "-o", "c.onnx", "--tensorrt"], "--tensorrt is for --to triton"),
        (["a.onnx", "--to", "ovms", "-o", "c", "--tensorrt"], "--tensorrt is for --to triton"),
        (["a.onnx", "--to", "triton", "-o", "c.onnx"], "--to triton writes a folder"),
        (["a.onnx", "--to", "triton", "-o", "missing/c"], "there is no folder missing"),
        ([ARTIFACTS, "--to", "triton", "-o", "c"], "is a folder: give the files in it"),
        ([ARTIFACTS / "photo-s-x2.onnx", "--to", "triton", "-o", "c", "--precision", "fp16"], "is exported already"),
        ([ARTIFACTS / "photo-s-x2.onnx", "--to", "triton", "-o", "c", "--no-rewrite"], "is exported already"),
        ([ARTIFACTS / "photo-s-x2.onnx", "--to", "triton", "-o", "c", "--range", "0,255"], "is exported already"),
        ([ARTIFACTS / "photo-s-x2.onnx", "--to", "triton", "-o", "c", "--names", "upscayl"], "--names is for --to ncnn"),
        (["a.onnx", "--to", "triton", "-o", "c"], "a.onnx"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[object], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("export", *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_only_a_file_with_a_contract_is_finished(without_contract: Path, tmp_path: Path) -> None:
    assert is_finished(str(ARTIFACTS / "photo-s-x2.onnx"))
    (tmp_path / "damaged.onnx").write_bytes(b"\xff")
    for other in (without_contract, tmp_path / "damaged.onnx", tmp_path / "missing.onnx", "photo-s-x2"):
        assert not is_finished(str(other))
