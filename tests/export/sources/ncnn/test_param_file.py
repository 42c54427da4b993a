from __future__ import annotations

import pytest
from tests.export.sources.ncnn.conftest import param

from upconv.export.sources.ncnn.param_file import MAX_BYTES, parse_param
from upconv.runtime.errors import SourceError


def test_layers_with_numbers_and_arrays() -> None:
    text = param("Input data 0 1 data", "Convolution conv 1 1 data out 0=16 1=3 9=2 -23310=2,0.1,-1e-3 20=1.5")
    first, second = parse_param(text)
    assert (first.type, first.name, first.inputs, first.outputs) == ("Input", "data", (), ("data",))
    assert (second.integer(0), second.integer(2, 7), second.numbers(10), second.number(20, 0.0)) == (16, 7, (0.1, -1e-3), 1.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found an empty file"),
        (b"7767516\n1 1\n", "found 7767516"),
        (b"pnnx 1.0\n", "found pnnx 1.0"),
        (b"\xff\xfe\x00", "found other bytes"),
        ((7767517).to_bytes(4, "little") + b"\x01\x00\x00\x00", "found its binary form"),
        (b"7767517\n", "the numbers of layers and blobs"),
        (b"7767517\n2 x\n", "the numbers of layers and blobs"),
        (b"7767517\n2 1\nInput data 0 1 data\n", "expected 2 layers, found 1"),
        (b"7767517\n1 1\nInput data 0\n", "two counts of a layer"),
        (b"7767517\n1 1\nInput data 0 3 data\n", "states 3 blobs but names fewer"),
        (b"7767517\n1 1\nInput data 0 999999999 data\n", "states 999999999 blobs but names fewer"),
        (b"7767517\n1 1\nInput data 0 1 data 0=x=y\n", "has the parameter '0=x=y'|has 'x=y' as parameter"),
        (b"7767517\n1 1\nInput data 0 1 data -23300=3,1,2\n", "has the parameter '-23300=3,1,2'"),
        (b"7767517\n1 1\nInput data 0 1 data 0=99999999999\n", "has the parameter"),
        (param("Input data 0 1 data", "ReLU relu 1 1 late out", "Split split 1 1 data late"), "which no layer before it makes"),
        (param("ReLU relu 1 1 out out"), "which no layer before it makes"),
        (param("Input data 0 1 data", "ReLU relu 1 1 data data"), "each blob needs its own name"),
        (b"7767517\n1 0\nInput data 0 1 data\n", "expected 0 blobs, found 1"),
        (b"7767517\n" + b"#" * MAX_BYTES, "expected at most 16 MiB"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        [layer.integer(0) for layer in parse_param(content)]


@pytest.mark.parametrize("cut", range(5, 90, 7))
def test_a_truncated_file_is_refused(cut: int) -> None:
    whole = param("Input data 0 1 data", "Convolution conv 1 1 data out 0=16 1=3 5=1 6=432", "ReLU relu 1 1 out end")
    with pytest.raises(SourceError):
        parse_param(whole[:-cut])
