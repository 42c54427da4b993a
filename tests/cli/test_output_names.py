from __future__ import annotations

from pathlib import Path

import pytest

from upconv.cli.output_names import SUFFIXES, check_model_name
from upconv.export.formats import FORMATS
from upconv.runtime.errors import ParameterError


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.onnx", "onnx"), ("a.ONNX", "onnx"), ("a", "ncnn"), ("v1.2", "ncnn"), ("a.param", "ncnn"), ("a.xml", "openvino")],
)
def test_names_of_the_format(name: str, format: str, tmp_path: Path) -> None:
    check_model_name(tmp_path / name, format)


@pytest.mark.parametrize(
    ("name", "format", "sentence"),
    [
        ("a.pb", "onnx", "--output a.pb must end in .onnx; give a.onnx$"),
        ("a", "onnx", "must end in .onnx; give a.onnx$"),
        ("a.param", "onnx", "must end in .onnx; give a.onnx, or --to ncnn$"),
        ("a.onnx", "ncnn", "must end in .param or .bin; give a$"),
        ("a.xml", "ncnn", "must end in .param or .bin; give a, or --to openvino$"),
        ("a.pt2", "openvino", "must end in .xml or .bin; give a$"),
        ("none/a.onnx", "onnx", "there is no folder .*none to write a.onnx into; create it first$"),
        ("", "onnx", "is a folder; give the name of a file in it$"),
    ],
)
def test_other_names_are_refused(name: str, format: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=sentence):
        check_model_name(tmp_path / name, format)


def test_the_suffixes_are_those_of_the_formats() -> None:
    assert {name: set(suffixes) for name, suffixes in SUFFIXES.items() if name != "onnx"} == {
        name: set(format.suffixes) for name, format in FORMATS.items()
    }
