from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., CompletedProcess[str]]

ENLARGE = b"7767517\n2 2\nInput data 0 1 data 0=0 1=0 2=3\nInterp up 1 1 data out 0=1 1={0} 2={0}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an upscaler x2, one x3, and one without weights."""
    made = tmp_path / "models"
    made.mkdir()
    for name, scale in (("two", b"2"), ("three", b"3"), ("broken", b"2")):
        (made / f"{name}.param").write_bytes(ENLARGE.replace(b"{0}", scale))
        (made / f"{name}.bin").write_bytes(b"")
    (made / "broken.bin").unlink()
    return made


def test_a_table_has_one_row_for_each_model(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("export", folder, "-o", tmp_path / "out")
    assert done.returncode == 1
    heading, *rows, last = done.stdout.splitlines()
    assert heading.split() == ["name", "task", "scale", "seconds", "result"]
    assert [row.split()[:3] for row in rows] == [["broken", "-", "-"], ["three", "upscale", "x3"], ["two", "upscale", "x2"]]
    assert "no weights at" in rows[0]
    assert rows[1].rstrip().endswith("three.onnx")
    assert last == "2 of 3 models exported"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["three.onnx", "two.onnx"]


def test_all_models_exported_is_a_success(command: Command, folder: Path, tmp_path: Path) -> None:
    (folder / "broken.param").unlink()
    assert command("export", folder, "-o", tmp_path / "out", "--range", "-1,1").returncode == 0


def test_json_is_the_only_output(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("export", folder, "-o", tmp_path / "out", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["version"]) == (1, "", 1)
    assert [(row["name"], row["scale"], row["result"]) for row in report["models"]] == [
        ("broken", None, "failed"),
        ("three", 3, "exported"),
        ("two", 2, "exported"),
    ]
    assert report["models"][1]["report"]["contract"]["name"] == "three"


def test_quiet_prints_only_reasons(command: Command, folder: Path, tmp_path: Path) -> None:
    done = command("export", folder, "-o", tmp_path / "out", "--quiet")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: no weights at")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out", "--shape", "1x3x8x8"], "--shape cannot be given for all models of"),
        (["-o", "out", "--weights", "w.pth", "--kwargs", '{"a": 1}'], "--weights and --kwargs cannot be given"),
        (["-o", "out.onnx"], "is a folder; give a folder with --output, not the file"),
        (["-o", "models/two.param"], "is a folder; give a folder with --output, not the file"),
        (["-o", "none/out"], "there is no folder none to make out in; create it first"),
    ],
)
def test_what_does_not_fit_a_folder_is_said(
    command: Command, folder: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    done = command("export", folder, *arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder.parent / "out").exists()


def test_a_catalogue_name_is_no_folder(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nearest-x2").mkdir()
    assert command("export", "nearest-x2", "-o", tmp_path / "n.onnx", "--quiet").returncode == 0
    assert (tmp_path / "n.onnx").is_file()
