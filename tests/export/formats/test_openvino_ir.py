from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from upconv.export import from_module, to_onnx
from upconv.export.formats import FORMATS, FormatOptions, write
from upconv.export.formats.openvino_ir import OpenvinoFormat
from upconv.runtime.errors import ExportError
from upconv.runtime.install_hints import install_command

MODEL = onnx.parser.parse_model(
    """<ir_version: 8, opset_import: ["": 18]> g (float[1,3,h,w] x) => (float[1,3,h,w] y) { y = Relu(x) }"""
)


def test_without_openvino_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ExportError, match=re.escape(install_command("openvino"))):
        OpenvinoFormat().content(MODEL, FormatOptions())


@pytest.mark.parametrize(("half", "said"), [(False, "noise floor"), (True, "dB")])
def test_files_are_judged_and_keep_their_sizes_free(half: bool, said: str, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    torch.manual_seed(0)
    parts = (nn.PixelUnshuffle(2), nn.Conv2d(12, 8, 3, padding=1), nn.GELU(), nn.ConvTranspose2d(8, 3, 4, 2, 1))
    source = from_module(nn.Sequential(*parts).eval(), np.zeros((1, 3, 16, 24), np.float32))
    artifact = to_onnx(source, rewrites=())
    written = write(artifact, source, FORMATS["openvino"], tmp_path / "m", FormatOptions(half))
    assert said in written.equality
    assert written.sizes >= 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.bin", "m.xml"]
    compiled = openvino.Core().compile_model(str(tmp_path / "m.xml"), "CPU")
    picture = np.random.default_rng(0).random((2, 3, 10, 14), np.float32)
    assert compiled([picture])[0].shape == (2, 3, 10, 14)


def test_an_operator_that_openvino_lacks_is_named() -> None:
    pytest.importorskip("openvino")
    model = onnx.parser.parse_model(
        """<ir_version: 8, opset_import: ["": 18, "mine": 1]> g (float[1] x) => (float[1] y) { y = mine.Odd(x) }"""
    )
    with pytest.raises(ExportError, match=r"OpenVINO cannot convert the graph.*Odd"):
        OpenvinoFormat().content(model, FormatOptions())
