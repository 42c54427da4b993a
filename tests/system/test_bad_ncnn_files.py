"""ncnn files that cannot be exported, in Python and on the command line: one sentence with cause and next step, no file."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from tests.export.sources.ncnn.conftest import drawn, param, plain, tagged

import upconv
from upconv.cli import main
from upconv.export import open_source
from upconv.runtime.errors import SourceError

INPUT = "Input data 0 1 data 0=0 1=0 2=3"
CONV = "Convolution conv 1 1 data a 0=12 1=3 4=1 5=1 6=324"
SHUFFLE = "PixelShuffle shuffle 1 1 a out 0=2"
PARAM = param(INPUT, CONV, SHUFFLE)
WEIGHTS = tagged(drawn(324) / 10) + plain(drawn(12) / 10)
BINARY = (7767517).to_bytes(4, "little") + b"\3\0\0\0\3\0\0\0"

Files = dict[str, bytes]


def pair(text: bytes = PARAM, weights: bytes = WEIGHTS) -> Files:
    return {"net.param": text, "net.bin": weights}


CASES: dict[str, tuple[Files, str]] = {
    "truncated param": (
        pair(PARAM.split(b"PixelShuffle")[0]),
        r"expected 3 layers, found 2; the file is truncated or damaged, so download it again",
    ),
    "param of one line": (pair(b"7767517\n"), r"the numbers of layers and blobs in the second line; the file is truncated"),
    "empty param": (pair(b""), r"expected the number 7767517 .*, found an empty file; convert the model again"),
    "another magic": (pair(PARAM.replace(b"7767517", b"7767516")), r"found 7767516; convert the model again"),
    "binary param": (pair(BINARY), r"found its binary form; give the text file"),
    "pnnx": (pair(b"7767517\n1 1\npnnx.Input in 0 1 0 #0=(1,3,8,8)f32\n"), r"found those of pnnx; give the \.ncnn\.param file"),
    "truncated bin": (
        pair(weights=WEIGHTS[:-8]),
        r"needs 48 bytes of weights, but 40 are left in the \.bin file; it is truncated",
    ),
    "empty bin": (pair(weights=b""), r"but 0 are left in the \.bin file; it is truncated .*, so download both again"),
    "long bin": (pair(weights=WEIGHTS + b"1234"), r"holds 4 bytes more .*; the two files do not belong together, so download"),
    "int8 weights": (pair(weights=(0x000D4B38).to_bytes(4, "little") + WEIGHTS), r"int8 weights, .*; give the file that they"),
    "unknown layer": (
        pair(PARAM.replace(b"PixelShuffle", b"Quantum")),
        r"the layer 'shuffle' of type Quantum is not supported; convert the model from its original form",
    ),
    "weights that do not fit": (
        pair(PARAM.replace(b"6=324", b"6=325")),
        r"the layer 'conv' of type Convolution has 325 weights, which do not fit 12 filters .*; download both files again",
    ),
    "channels that do not fit": (
        pair(PARAM.replace(b"PixelShuffle shuffle 1 1 a out 0=2", b"PixelShuffle shuffle 1 1 a out 0=5")),
        r"shuffles by 5, but its input has 12 channels; expected a multiple of 25",
    ),
    "no bin": ({"net.param": PARAM}, r"no weights at .*net\.bin; an ncnn network is a \.param and a \.bin file"),
    "no param": ({"net.bin": WEIGHTS}, r"no ncnn network at .*net\.param; an ncnn network is a \.param and a \.bin file"),
}


def written(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "net.param"


def test_the_files_without_a_fault_are_exported(tmp_path: Path) -> None:
    assert upconv.to_onnx(written(tmp_path, pair())).contract.scale == 2


@pytest.mark.parametrize(("files", "message"), CASES.values(), ids=CASES)
def test_a_bad_file_is_refused_in_a_sentence(
    files: Files, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, files)
    with pytest.raises(SourceError, match=message) as refused:
        upconv.to_onnx(path)
    monkeypatch.setattr("sys.argv", ["upconv", "export", str(path), "-o", str(tmp_path / "out.onnx")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.endswith(f"error: {refused.value}\n")
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "out.onnx").exists()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["net.bin", "net.param.bin"])
def test_weights_and_binary_networks_are_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BINARY)
    with pytest.raises(SourceError, match=r"give the text \.param file of ncnn, with the weights in the \.bin file beside it"):
        upconv.to_onnx(tmp_path / name)


@pytest.mark.parametrize("damage", [0, 7, 20, 33, 60, 90, 120])
@pytest.mark.parametrize("byte", [0, 0x39, 0xFF])
def test_a_changed_byte_never_raises_another_error(damage: int, byte: int, tmp_path: Path) -> None:
    text = bytearray(PARAM)
    text[damage % len(text)] = byte
    with suppress(SourceError):  # any other error fails the test
        open_source(str(written(tmp_path, pair(bytes(text)))))
