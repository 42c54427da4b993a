from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from tests.cli import conftest

from upconv.runtime import codecs
from upconv.runtime.picture import Picture

Photograph = Callable[[int, int], np.ndarray]
Command = Callable[..., CompletedProcess[str]]

upconv = conftest.command


@pytest.fixture
def picture(tmp_path: Path, photograph: Photograph) -> Path:
    path = tmp_path / "in.jpg"
    path.write_bytes(codecs.encode(Picture(photograph(31, 40)), "jpeg")[0])
    return path


@pytest.mark.parametrize("command", [["-c", "import upconv"], ["-m", "upconv", "--help"], ["-m", "upconv", "models"]])
def test_fast_commands_import_no_slow_package(command: list[str]) -> None:
    run = subprocess.run([sys.executable, "-X", "importtime", *command], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in run.stderr.splitlines() if "|" in line}
    assert not loaded & {"torch", "onnx", "onnxruntime", "fastapi", "numpy", "pyvips"}


def test_export_and_inspect_print_their_results(upconv: Command, tmp_path: Path) -> None:
    done = upconv("export", "deconv-s-x2", "-o", tmp_path / "d.onnx")
    assert done.returncode == 0, done.stderr
    assert "noise floor" in done.stdout.splitlines()[-1]
    facts = json.loads(upconv("inspect", tmp_path / "d.onnx", "--json").stdout)
    assert facts["height"]["scale"] == facts["width"]["scale"] == 2
    assert facts["height"] == {"scale": 2, "offset": 0, "multiple": 1, "minimum": 1, "maximum": None}
    assert set(facts["halo"]) == {"top", "bottom", "left", "right"}
    assert facts["evidence"]["parity"][-1]["max_abs"] <= 4 * facts["evidence"]["parity"][-1]["noise_floor"]
    assert facts["opset"] == 18
    assert "Conv" in facts["operators"]
    assert "opset" in upconv("inspect", tmp_path / "d.onnx").stdout


def test_export_prints_nothing_or_everything(upconv: Command, tmp_path: Path) -> None:
    quiet = upconv("export", "nearest-x2", "-o", tmp_path / "q.onnx", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (tmp_path / "q.onnx").exists()
    verbose = upconv("export", "nearest-x2", "-o", tmp_path / "v.onnx", "-v").stdout
    assert "noise floors allowed" in verbose and "Resize 1" in verbose
    both = upconv("export", "nearest-x2", "-o", tmp_path / "b.onnx", "-q", "-v")
    assert both.returncode == 1 and "exclude each other" in both.stderr and not (tmp_path / "b.onnx").exists()


def test_export_of_a_factory_of_a_user_with_a_json_report(upconv: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\ndef head(k):\n    return nn.ConvTranspose2d(8, 4, k, stride=2)\n"
    )
    done = upconv("export", f"{tmp_path}/mine.py:head", "--kwargs", '{"k": 3}', "-o", tmp_path / "m.onnx", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["contract"]["task"] == "decode"
    assert report["contract"]["height"]["offset"] == 1
    assert [stage["name"] for stage in report["stages"]][:2] == ["sizes", "capture"]


def test_upscale_writes_a_larger_picture(upconv: Command, picture: Path, tmp_path: Path) -> None:
    done = upconv("upscale", picture, "-o", tmp_path / "out.png", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["to"] == [80, 62]
    result = codecs.read(tmp_path / "out.png")
    assert (result.format, result.width, result.height) == ("png", 80, 62)


def test_upscale_takes_several_pictures_and_goes_on_after_a_bad_one(upconv: Command, picture: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("text")
    done = upconv("upscale", tmp_path / "bad.jpg", picture, "-o", tmp_path / "out", "--model", "nearest-x2")
    assert done.returncode == 1
    assert "bad.jpg" in done.stderr
    assert [p.name for p in (tmp_path / "out").glob("[!.]*")] == ["in.jpg"]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


BAD: dict[str, tuple[list[str], str]] = {
    "no command": (["paint"], "No such command"),
    "missing file": (["upscale", "{folder}/none.jpg", "-o", "{out}"], "no such file"),
    "empty file": (["upscale", "{folder}/empty.jpg", "-o", "{out}"], "it is empty"),
    "text called .jpg": (["upscale", "{folder}/text.jpg", "-o", "{out}"], "expected jpeg"),
    "truncated": (["upscale", "{folder}/cut.png", "-o", "{out}"], "damaged or incomplete"),
    "scale 0": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--scale", "0"], "scale must be a number"),
    "scale -1": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--scale", "-1"], "scale must be a number"),
    "scale abc": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--scale", "abc"], "Invalid value for '--scale'"),
    "unknown suffix": (["upscale", "{folder}/in.jpg", "-o", "{folder}/out.bmp"], "cannot write out.bmp"),
    "unknown model": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--model", "nope"], "no model called 'nope'"),
    "not a model": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--model", "{folder}/text.jpg"], "not a model"),
    "no cuda": (["upscale", "{folder}/in.jpg", "-o", "{out}", "--provider", "cuda"], "pip install"),
    "onto itself": (["upscale", "{folder}/in.jpg", "-o", "{folder}/in.jpg"], "would be overwritten"),
    "onto another input": (["upscale", "{folder}/in.jpg", "{folder}/cut.png", "-o", "{folder}"], "would be overwritten"),
    "two into one": (["upscale", "{folder}/in.jpg", "{folder}/../{name}/in.jpg", "-o", "{folder}/new"], "would both become"),
    "no pictures": (["upscale", "{folder}/nothing", "-o", "{folder}/new"], "there are no pictures"),
    "a folder as the file": (["export", "nearest-x2", "-o", "{folder}/nothing"], "is a folder"),
    "range": (["export", "a.py:b", "-o", "{folder}/x.onnx", "--range", "1,0"], "--range must be"),
    "shape of a catalogue model": (
        ["export", "nearest-x2", "-o", "{folder}/x.onnx", "--shape", "1x3x8x8"],
        "are for factories and files",
    ),
    "no such folder": (["upscale", "{folder}/in.jpg", "-o", "{folder}/none/out.png"], "there is no folder"),
    "export of nothing": (["export", "nope", "-o", "{folder}/x.onnx"], "no model called 'nope' in the catalogue"),
    "export into nowhere": (["export", "nearest-x2", "-o", "{folder}/none/x.onnx"], "there is no folder"),
    "kwargs": (["export", "a.py:b", "-o", "{folder}/x.onnx", "--kwargs", "{{"], "--kwargs is not JSON"),
    "shape": (["export", "a.py:b", "-o", "{folder}/x.onnx", "--shape", "1xax3"], "--shape must be"),
    "inspect of a bare model": (["inspect", "{bare}"], "carries no contract"),
    "parity of nothing": (["parity", "nope"], "no model called 'nope' in the catalogue"),
    "parity in no such backend": (["parity", "{bare}", "--backend", "abacus"], "unknown backend 'abacus'"),
    "parity onto no page": (["parity", "{bare}", "--html", "{folder}/none/page.html"], "cannot write a report to"),
    "serve of nothing": (["serve", "--model", "nope"], "no model called 'nope'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_in_one_sentence_and_writes_nothing(
    upconv: Command, case: str, picture: Path, tmp_path: Path, without_contract: Path, photograph: Photograph
) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "cut.png").write_bytes(codecs.encode(Picture(photograph(64, 64)), "png")[0][:2000])
    (tmp_path / "nothing").mkdir()
    before = contents(tmp_path)
    arguments, sentence = BAD[case]
    done = upconv(
        *(a.format(folder=tmp_path, name=tmp_path.name, out=tmp_path / "out.png", bare=without_contract) for a in arguments)
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert contents(tmp_path) == before


def test_evaluate_compares_a_model_with_interpolation(upconv: Command) -> None:
    done = upconv("models", "evaluate", "deconv-s-x2", "--data", Path(__file__).parent.parent / "data", "--json")
    assert done.returncode == 0, done.stderr
    table = json.loads(done.stdout)
    assert table["images"] == 2
    assert table["model"]["psnr_y"] > table["bicubic"]["psnr_y"] + 2
    assert table["model"]["ssim_y"] > table["lanczos"]["ssim_y"]


def test_evaluate_without_photographs_is_one_sentence(upconv: Command, tmp_path: Path) -> None:
    done = upconv("models", "evaluate", "nearest-x2", "--data", tmp_path)
    assert done.returncode == 1
    assert "no images" in done.stderr
