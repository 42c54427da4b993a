from __future__ import annotations

from pathlib import Path

import pytest

import upconv
from upconv.export import Artifact
from upconv.export.model_folder import ModelTask, export_folder, find_models
from upconv.runtime.errors import ParameterError, SourceError

ENLARGE = b"7767517\n2 2\nInput data 0 1 data 0=0 1=0 2=3\nInterp up 1 1 data out 0=1 1=2 2=2\n"


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(ENLARGE if name.endswith(".param") else b"")
    return folder


def test_every_kind_of_model_is_found_in_order(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", "b.pth", "a.param", "a.bin", "deep/c.ONNX", "readme.txt", ".hidden.pth", ".git/d.pth")
    tasks = find_models(folder, tmp_path / "out")
    assert [task.source.name for task in tasks] == ["a.param", "b.pth", "c.ONNX"]
    assert [task.output.relative_to(tmp_path / "out").as_posix() for task in tasks] == ["a.onnx", "b.onnx", "deep/c.onnx"]


def test_weights_without_a_network_are_a_model_of_their_own(tmp_path: Path) -> None:
    folder = made(tmp_path, "a.bin", "b.param.bin", "b.bin")
    assert [task.source.name for task in find_models(folder, tmp_path / "out")] == ["a.bin", "b.param.bin"]


def test_the_output_is_not_searched(tmp_path: Path) -> None:
    folder = made(tmp_path, "a.param", "a.bin", "out/a.onnx")
    assert [task.source.name for task in find_models(folder, tmp_path / "out")] == ["a.param"]


@pytest.mark.parametrize("names", [("a.pth", "a.param"), ("a.pth", "A.safetensors")])
def test_names_that_collide_are_a_sentence(names: tuple[str, str], tmp_path: Path) -> None:
    folder = made(tmp_path / "in", *names)
    with pytest.raises(ParameterError, match=r"would both become .*a\.onnx; rename one of them"):
        find_models(folder, tmp_path / "out")


def test_a_model_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"a\.onnx would be overwritten; give another folder with --output"):
        find_models(made(tmp_path, "a.onnx"), tmp_path)


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"there are no models in .*; expected files ending in \.pth"):
        find_models(made(tmp_path, "readme.txt"), tmp_path / "out")


def test_one_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = made(tmp_path / "in", "a.param", "a.bin", "b.param", "c.param", "d.param", "d.bin", "e/f.param", "e/f.bin")

    def export(path: Path, out: Path) -> Artifact:
        if path.name == "c.param":
            raise ValueError("no luck\nmore lines")
        if path.name == "d.param":
            raise MemoryError
        return upconv.to_onnx(path, out=out)

    outcomes = [outcome.as_dict() for outcome in export_folder(find_models(folder, tmp_path / "out"), export)]
    assert [(row["name"], row["result"], row["task"], row["scale"]) for row in outcomes] == [
        ("a", "exported", "upscale", 2),
        ("b", "failed", None, None),
        ("c", "failed", None, None),
        ("d", "failed", None, None),
        ("f", "exported", "upscale", 2),
    ]
    reasons = [str(row["reason"]) for row in outcomes]
    assert "no weights at" in reasons[1]
    assert reasons[2].endswith("c.param cannot be exported: ValueError: no luck")
    assert "needs more memory than is free" in reasons[3]
    assert (tmp_path / "out/e/f.onnx").is_file()
    assert not (tmp_path / "out/b.onnx").exists()


def test_an_interruption_is_no_failure(tmp_path: Path) -> None:
    def interrupted(path: Path, out: Path) -> Artifact:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(export_folder([ModelTask(tmp_path / "a.param", tmp_path / "a.onnx")], interrupted))


def test_an_output_that_cannot_be_made_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    def refused(path: Path, out: Path) -> Artifact:
        raise SourceError("never reached")

    (outcome,) = export_folder([ModelTask(tmp_path / "a.param", tmp_path / "file" / "a.onnx")], refused)
    assert outcome.reason is not None and "cannot be written" in outcome.reason
