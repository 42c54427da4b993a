"""What cannot be exported, through the command itself: one sentence with cause and next step, a code above 0, no file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file

from upconv.cli import main

DECODERS = """
import torch
from torch import nn

def doubler():
    return nn.ConvTranspose2d(3, 3, 2, stride=2)

def broken():
    raise RuntimeError("no luck today\\nmore lines")

def broken_weights():
    layer = nn.Conv2d(3, 3, 1)
    layer.weight.data.fill_(float("nan"))
    return layer

class Branching(nn.Module):
    def forward(self, image):
        return image * 2 if image.sum() > 0 else image

def branching():
    return Branching()
"""


class Exploit:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('the pickle ran')",)


def model(domain: str = "", external: bool = False) -> bytes:
    weights = numpy_helper.from_array(torch.zeros(3, 3, 1, 1).numpy(), "weights")
    if external:
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value="../../etc/hostname")
    node = helper.make_node("Magic" if domain else "Conv", ["image", "weights"], ["output"], domain=domain)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, "h", "w"]) for name in ("image", "output")]
    opsets = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    graph = helper.make_graph([node], "g", values[:1], values[1:], [weights])
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def tensors(path: Path) -> None:
    save_file({"weight": torch.zeros(1)}, path)


def written(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


BAD: dict[str, tuple[str, Callable[[Path], None] | None, list[str], str]] = {
    "code in a pickle": ("code.pth", written(pickle.dumps(Exploit())), [], "holds code, which is never run"),
    "unknown architecture": ("mine.safetensors", tensors, [], "fit no architecture that spandrel knows"),
    "weights that do not fit": ("d.py:doubler", None, ["--weights", "other.safetensors"], "cannot be loaded into"),
    "a factory that raises": ("d.py:broken", None, [], "raised RuntimeError: no luck today"),
    "control flow by data": ("d.py:branching", None, ["--shape", "1x3x8x8"], "torch cannot trace branching"),
    "weights that are no numbers": ("d.py:broken_weights", None, [], "not finite numbers"),
    "truncated ONNX": ("cut.onnx", written(model()[:100]), [], "is truncated or not an ONNX file"),
    "data outside the folder": ("out.onnx", written(model(external=True)), [], "lies outside its folder"),
    "custom operator": ("own.onnx", written(model("com.example")), [], "operator Magic of the domain 'com.example'"),
    "no such file": ("none.pt2", None, [], "no program at none.pt2"),
    "a suffix that is not read": ("model.tflite", written(b""), [], "is not the name of a source"),
    "arguments for a file": ("own.onnx", written(model()), ["--kwargs", '{"a": 1}'], "are for factories"),
    "inputs of another kind": ("own.onnx", written(model()), ["--shape", "1x3:float16"], "--shape must be"),
    "too many inputs": ("own.onnx", written(model()), ["--shape", "1x3x8x8", "--shape", "1:int64"], "2 examples were given"),
}


@pytest.mark.parametrize("case", BAD)
def test_it_ends_in_one_sentence_and_writes_nothing(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if case == "unknown architecture" and find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed; make install brings it")
    spec, write, options, sentence = BAD[case]
    monkeypatch.chdir(tmp_path)
    Path("d.py").write_text(DECODERS)
    tensors(Path("other.safetensors"))
    if write is not None:
        write(Path(spec))
    before = sorted(p for p in tmp_path.iterdir() if p.name != "__pycache__")
    monkeypatch.setattr("sys.argv", ["upconv", "export", spec, "-o", "result.onnx", *options])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    *_, said = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ")
    assert sentence in said
    assert sorted(p for p in tmp_path.iterdir() if p.name != "__pycache__") == before


def test_an_onnx_file_passes_through_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.onnx").write_bytes(model())
    monkeypatch.setattr(
        "sys.argv", ["upconv", "export", str(tmp_path / "in.onnx"), "-o", str(tmp_path / "o.onnx"), "--shape", "1x3x9x9"]
    )
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "noise floor" in capsys.readouterr().out
    assert onnx.load(tmp_path / "o.onnx").metadata_props[0].key == "upconv.contract"
