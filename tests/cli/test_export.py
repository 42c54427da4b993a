from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from upconv.cli.export import arguments_of, example_of, fixed_of, pixels_of
from upconv.runtime.contract import Pixels
from upconv.runtime.errors import ParameterError

ARTIFACTS = Path(__file__).parents[2] / "models" / "artifacts"


def test_arguments_are_a_json_object() -> None:
    assert arguments_of('{"k": 3, "mode": "bicubic"}') == {"k": 3, "mode": "bicubic"}
    for text, reason in (("{", "--kwargs is not JSON"), ("[3]", r"must be a JSON object .*; got \[3\]")):
        with pytest.raises(ParameterError, match=reason):
            arguments_of(text)


@pytest.mark.parametrize(
    ("text", "shape", "kind"),
    [
        ("1x3x64x32", (1, 3, 64, 32), "float32"),
        ("7", (7,), "float32"),
        ("1X2:INT64", (1, 2), "int64"),
        ("4:bool", (4,), "bool"),
    ],
)
def test_an_example_has_the_shape_and_type_of_its_text(text: str, shape: tuple[int, ...], kind: str) -> None:
    example = example_of(text)
    assert (example.shape, example.dtype) == (shape, np.dtype(kind))
    assert not example.any()


@pytest.mark.parametrize("text", ["", "1x0", "1x-3", "1xax3", "1x3:float64", "1x3x"])
def test_a_malformed_shape_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match=r"--shape must be lengths above 0 .* got"):
        example_of(text)


def test_a_range_is_two_ascending_numbers() -> None:
    assert pixels_of(None) is None
    assert pixels_of("-1, 1") == Pixels(low=-1, high=1)
    for text in ("1", "1,0", "0,1,2", "a,b", ""):
        with pytest.raises(ParameterError, match="--range must be two ascending numbers"):
            pixels_of(text)


def test_a_fixed_size_is_a_height_and_a_width() -> None:
    assert (fixed_of("64x48"), fixed_of("1X1")) == ((64, 48), (1, 1))
    for text in ("64", "64x", "0x4", "1x2x3", "-1x2", "axb", ""):
        with pytest.raises(ParameterError, match="--fixed must be a height and a width in pixels such as 64x48; got"):
            fixed_of(text)


def test_a_fixed_size_is_exported_and_refused_for_the_catalogue(
    command: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Upsample(scale_factor=2)\n")
    out = tmp_path / "n.onnx"
    done = command("export", f"{tmp_path / 'net.py'}:make", "-o", out, "--json", "--fixed", "16x24")
    assert done.returncode == 0, done.stderr
    assert "height: 16 only; width: 24 only" in done.stdout
    done = command("export", "nearest-x2", "-o", out, "--fixed", "16x24")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--axes and --fixed are for factories and files" in done.stderr


def test_json_is_the_only_output(command: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    done = command("export", "nearest-x2", "-o", tmp_path / "n.onnx", "--json", "--no-rewrite")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["contract"]["name"] == "nearest-x2"
    assert not report["contract"]["rewrites"]


def test_a_refused_shape_says_what_forward_raised(command: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 3, 1)\n")
    done = command("export", f"{tmp_path / 'net.py'}:make", "-o", tmp_path / "n.onnx", "--shape", "1x4x8x8")
    assert done.returncode != 0
    assert "make refuses an input of shape (1, 4, 8, 8): RuntimeError: Given groups=1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("axes", "code", "sentence"),
    [
        ("image:NCHW output:NHW", 0, ""),
        ("image:NCHW output:NKW", 1, "its axis 1 (K) follows axis 2 (H) of the input; exchange the letters"),
        ("NCHW", 1, "--axes must be names"),
    ],
)
def test_axes_are_stated_and_checked(
    axes: str, code: int, sentence: str, command: Callable[..., CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 1, 1), nn.Flatten(0, 1))\n"
    )
    done = command("export", f"{tmp_path / 'net.py'}:make", "-o", tmp_path / "n.onnx", "--quiet", "--axes", axes)
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--names", "upscayl"], "--names is for --to ncnn"),
        (["--names", "upscayl", "--to", "openvino"], "--names is for --to ncnn; --to openvino keeps the names"),
        (["--to", "ncnn", "--precision", "int8"], "--to ncnn writes fp32 or fp16 weights"),
        (["--to", "ncnn", "--tune"], "--to ncnn writes fp32 or fp16 weights"),
    ],
)
def test_options_that_do_not_fit_the_format_are_refused(
    command: Callable[..., CompletedProcess[str]], options: list[str], reason: str, tmp_path: Path
) -> None:
    done = command("export", "upsample-s-x2", "-o", str(tmp_path / "m"), *options)
    assert done.returncode != 0
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_int8_file_is_refused_by_its_precision(command: Callable[..., CompletedProcess[str]], tmp_path: Path) -> None:
    pytest.importorskip("ncnn")
    done = command("export", ARTIFACTS / "upsample-s-x2.int8.onnx", "--to", "ncnn", "-o", tmp_path / "m")
    assert done.returncode == 1
    assert "upsample-s-x2.int8.onnx is a model in int8, and --to ncnn starts from float32" in done.stderr
    assert list(tmp_path.iterdir()) == []
