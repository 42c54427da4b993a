from __future__ import annotations

from pathlib import Path

import onnx
import pytest

from upconv.export.formats import FormatOptions
from upconv.export.formats.ncnn import PROGRAM_NAMES, NcnnFormat
from upconv.runtime.errors import ExportError

MODEL = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["": 18]> g (float[1,3,h,w] x) => (float[1,3,h,w] y) { y = Relu(x) }"""
)


@pytest.mark.parametrize("program", PROGRAM_NAMES)
def test_blobs_have_the_names_of_the_program(program: str) -> None:
    names = PROGRAM_NAMES[program]
    lines = NcnnFormat().content(MODEL, FormatOptions(names=names))[".param"].decode().splitlines()
    assert (lines[2].split()[4], lines[-1].split()[5]) == names


def test_without_ncnn_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ExportError, match="pip install ncnn"):
        NcnnFormat().backend(tmp_path / "m", MODEL, FormatOptions())
